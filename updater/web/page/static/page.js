// What only a browser can do: say whether the stream is alive, pause it, keep times and the list of events current.
// The page reads without it.
(() => {
  "use strict";
  const MOST_EVENTS = 100;
  const SPANS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const connection = document.getElementById("connection");
  const pause = document.getElementById("pause");
  let isPaused = false;
  let isLost = false;
  const miss = (event) => { document.body.dataset.missed = "yes"; event.preventDefault(); };

  const say = () => {
    const text = isPaused ? "paused" : isLost ? "reconnecting" : "live";
    connection.hidden = false;
    connection.classList.toggle("lost", isLost && !isPaused);
    connection.classList.toggle("paused", isPaused);
    if (connection.textContent !== text) connection.textContent = text;
  };
  const refresh = () => document.body.dispatchEvent(new CustomEvent("refresh"));

  document.documentElement.classList.add("scripted");
  pause.hidden = false;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Resume view" : "Pause this view";
    if (!isPaused && document.body.dataset.missed) refresh();
    delete document.body.dataset.missed;
    say();
  });

  document.body.addEventListener("htmx:sseOpen", () => {
    if (isLost) refresh();
    isLost = false;
    say();
  });
  document.body.addEventListener("htmx:sseError", () => { isLost = true; say(); });
  // a paused page takes nothing, and asks for all of it when it goes on (WCAG 2.2.2)
  document.body.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (isPaused) miss(event);
  });
  document.body.addEventListener("htmx:confirm", (event) => {
    const trigger = event.detail.triggeringEvent;
    if (isPaused && trigger && trigger.type.startsWith("sse:")) miss(event);
  });
  document.body.addEventListener("htmx:sseMessage", () => {
    const events = document.getElementById("events");
    while (events && events.children.length > MOST_EVENTS) events.lastElementChild.remove();
  });

  // what was refused is shown where it was asked for; what was done empties its form
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "act-result") {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful && event.detail.elt.matches("form.act[method=post]")) {
      event.detail.elt.reset();
      event.detail.elt.closest("details").open = false;
    }
  });

  const ago = (at) => {
    const seconds = (Date.now() - at) / 1000;
    const size = Math.abs(seconds);
    if (size < 1) return "now";
    const [span, unit] = SPANS.find(([length]) => size >= length);
    const text = `${Math.floor(size / span)} ${unit}`;
    return seconds >= 0 ? `${text} ago` : `in ${text}`;
  };
  setInterval(() => {
    for (const element of document.querySelectorAll("time[datetime]")) {
      const text = ago(Date.parse(element.dateTime));
      if (element.textContent !== text) element.textContent = text;
    }
  }, 10000);

  // "/" goes to the search, unless somebody types
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("search");
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && search && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });
})();
