# One image for every process: the command says which, as in `docker run hookyard worker`.
# It runs as user 10001, and its root file system may be read-only.
#
#   docker build -t hookyard .
#   docker build -t hookyard-emulator --target emulator .    the same with the GitLab emulator, for a demo
#   docker build -t hookyard --build-arg PYTHON_IMAGE=python:3.12-slim --build-arg VERSION=1.2.3 .
#
# VERSION is what `hookyard --version` says; there is no .git in here to tell it.
#
# The Python image must be Debian's kind (useradd, install), 3.11 or later; where several builds must give
# the same, name it by digest: --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:…

ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/hookyard
WORKDIR /build
# the packages change seldom and the code often: in this order a change of the code downloads nothing
COPY requirements.txt ./
RUN /opt/hookyard/bin/python -m pip install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY hookyard ./hookyard
COPY ingress ./ingress
COPY worker ./worker
COPY pytest_hookyard ./pytest_hookyard
COPY handlers ./handlers
ARG VERSION
# handlers/ is the example bot. It is in no wheel, and a bot's own module of that name is found before it.
RUN SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION} \
    /opt/hookyard/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/hookyard/bin/python -m pip install --no-deps --no-index /wheels/*.whl \
    && packages=$(/opt/hookyard/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
    && cp --recursive handlers "$packages" \
    && /opt/hookyard/bin/python -m compileall -q "$packages/handlers"

FROM packages AS packages-with-emulator
COPY requirements-emulator.txt ./
RUN /opt/hookyard/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-emulator.txt
COPY emulator ./emulator
ARG VERSION
RUN SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION} \
    /opt/hookyard/bin/python -m pip install --no-deps --no-build-isolation ./emulator \
    && /opt/hookyard/bin/python -m pip uninstall --yes setuptools setuptools-scm vcs-versioning pip

FROM packages AS packages-alone
# what installed all this is not needed to run it
RUN /opt/hookyard/bin/python -m pip uninstall --yes setuptools setuptools-scm vcs-versioning pip

FROM ${PYTHON_IMAGE} AS base
RUN groupadd --gid 10001 hookyard \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /bot --shell /usr/sbin/nologin hookyard \
    && install --directory --mode 0755 /bot \
    && install --directory --mode 0700 --owner 10001 --group 10001 /var/spool/hookyard
# unbuffered: what a bot prints comes out when it prints it. The code is compiled already.
ENV PATH=/opt/hookyard/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOOKYARD_HOST=0.0.0.0
# a bot's modules are looked for here first
WORKDIR /bot
USER 10001:10001
EXPOSE 8000 8001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["hookyard", "health"]
# as a list, so that hookyard itself gets the signals; it becomes the process that it starts
ENTRYPOINT ["hookyard"]

FROM base AS emulator
COPY --from=packages-with-emulator /opt/hookyard /opt/hookyard

# what is built where no --target is named
FROM base AS hookyard
COPY --from=packages-alone /opt/hookyard /opt/hookyard
