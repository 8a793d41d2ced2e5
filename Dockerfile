# One image of the agent, one of the collector with the commands for people, and one for each older tool:
#
#   docker build --target kubesonar -t kubesonar/kubesonar:VERSION .
#   docker build --target collector -t kubesonar/kubesonar-collector:VERSION .
#   docker build --target kubenurse -t kubesonar/kubenurse:VERSION .
#   docker build --target knh -t kubesonar/knh:VERSION .
#   docker build --target netchecker-server -t kubesonar/netchecker-server:VERSION .
#   docker build --target netchecker-agent -t kubesonar/netchecker-agent:VERSION .
#
# For linux/amd64 and linux/arm64 alike. Runs as any user, on a read-only root, without a shell.

# Debian 13: its OpenSSL 3.5 takes a third less CPU for a TLS handshake than 3.0 does. This Python is built with profile
# guided optimisation, and its slim variant has no compiler, of which nothing here has need: all that is installed comes
# as wheels.
ARG PYTHON=python:3.13-slim-trixie

FROM ${PYTHON} AS build
SHELL ["/bin/sh", "-euxc"]
RUN ["python", "-c", "import ssl, sysconfig; assert ssl.OPENSSL_VERSION_INFO >= (3, 5), ssl.OPENSSL_VERSION; assert '--enable-optimizations' in sysconfig.get_config_var('CONFIG_ARGS')"]
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/build.lock requirements/agent.lock requirements/
RUN python -m venv tools; \
    tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock; \
    pip install --require-hashes --only-binary :all: --no-deps --no-compile --prefix /image -r requirements/agent.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels .; \
    pip install --no-deps --no-compile --prefix /image wheels/*.whl; \
    python -m compileall -q --invalidation-mode unchecked-hash /image

# What the collector and the commands for people take more, and nothing that the agent's image has already: pip passes
# over what it finds on PYTHONPATH.
FROM build AS collector-build
COPY requirements/collector.lock requirements/
RUN PYTHONPATH=$(echo /image/lib/python3.*/site-packages) pip install --require-hashes --only-binary :all: --no-deps --no-compile --prefix /collector -r requirements/collector.lock; \
    python -m compileall -q --invalidation-mode unchecked-hash /collector

FROM ${PYTHON} AS runtime
# The base comes without compiled modules, as every byte of it is everybody's. Compiled here, once, and never compared
# with their sources again: on a read-only root under a CPU limit of 30m an agent would spend a minute on it at every
# start. Nothing is installed into the image again, and nothing draws windows.
RUN ["/bin/sh", "-euxc", "cd /usr/local/lib/python3.*; rm -rf site-packages/pip* ensurepip idlelib tkinter turtledemo turtle.py pydoc_data /usr/local/bin/pip* /usr/local/bin/idle*; python -m compileall -q --invalidation-mode unchecked-hash -x site-packages ."]
COPY --from=build /image /usr/local
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="kubesonar" \
      org.opencontainers.image.description="Tells whether a Kubernetes cluster's network is healthy and, where it is not, which part is sick, since when and how we know." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
WORKDIR /
# Any other will do as well: nothing is written, and everything is readable to all.
USER 65532:65532
# -I: neither the environment, nor a home, nor the working directory can bring in other modules. -B: nothing to write.
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar"]

FROM runtime AS kubenurse
LABEL org.opencontainers.image.title="kubesonar for those who come from kubenurse" \
      org.opencontainers.image.description="kubenurse's environment variables, endpoints and metrics, served by kubesonar."
EXPOSE 8080/tcp 8443/tcp
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar", "kubenurse"]

FROM runtime AS knh
LABEL org.opencontainers.image.title="kubesonar for those who come from KNH" \
      org.opencontainers.image.description="KNH's environment variables, endpoints, elections and webhooks, done by kubesonar."
EXPOSE 8080/tcp
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar", "knh"]

FROM runtime AS netchecker-server
LABEL org.opencontainers.image.title="kubesonar for those who come from netchecker: the server" \
      org.opencontainers.image.description="The flags, endpoints, records and metrics of netchecker's server, served by kubesonar."
EXPOSE 8081/tcp
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar", "netchecker-server"]
CMD ["-v=5", "-kubeproxyinit", "-endpoint=0.0.0.0:8081"]

FROM runtime AS netchecker-agent
LABEL org.opencontainers.image.title="kubesonar for those who come from netchecker: the agent" \
      org.opencontainers.image.description="The flags and reports of netchecker's agent, sent by kubesonar."
ENTRYPOINT ["/usr/local/bin/python3", "-I", "-B", "-m", "kubesonar", "netchecker-agent"]

# Apart from the agent's, which every node pulls: 13 MiB more to pull, and typing_extensions among them, which msgspec
# loads wherever it is, so that each agent would take 1.1 MiB more memory.
FROM runtime AS collector
COPY --from=collector-build /collector /usr/local
LABEL org.opencontainers.image.title="kubesonar's collector" \
      org.opencontainers.image.description="Takes the reports of all agents and answers for the whole cluster; with kubesonar check, map, history and explain."
EXPOSE 7475/tcp
CMD ["collector"]

FROM runtime AS kubesonar
EXPOSE 7473/tcp 7473/udp
CMD ["agent"]
