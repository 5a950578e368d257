"""The listener that tells people and programs what happened: messages to chats and mail, CloudEvents over HTTP."""
