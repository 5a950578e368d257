# syntax=docker/dockerfile:1
# The image holds Python, the pinned requirements and the package; no git binary, no shell tools of ours.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/updater \
 && /opt/updater/bin/pip install --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY updater updater
RUN /opt/updater/bin/pip install --no-deps .

FROM python:3.13-slim
LABEL org.opencontainers.image.title="updater" \
      org.opencontainers.image.description="Keeps image references in Git at the newest version a policy allows" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 updater \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/updater updater \
 && install -d -o 10001 -g 10001 /var/lib/updater /etc/updater
COPY --from=build /opt/updater /opt/updater
ENV PATH=/opt/updater/bin:$PATH PYTHONUNBUFFERED=1 UPDATER_STATE=/var/lib/updater
USER 10001:10001
WORKDIR /etc/updater
VOLUME ["/var/lib/updater"]
EXPOSE 8080
ENTRYPOINT ["updater"]
CMD ["run"]
