# Steward with the console inside: one static binary and nothing else.
#   docker build -t steward .
# Where the usual registries are slow or closed, name others:
#   docker build --build-arg NODE_IMAGE=… --build-arg GO_IMAGE=… --build-arg GOPROXY=… --build-arg NPM_REGISTRY=… .
ARG NODE_IMAGE=node:22-alpine
ARG GO_IMAGE=golang:1.26

FROM ${NODE_IMAGE} AS console
ARG NPM_REGISTRY
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund ${NPM_REGISTRY:+--registry="$NPM_REGISTRY"}
COPY web/ ./
RUN npm run build

FROM ${GO_IMAGE} AS program
ARG GOPROXY
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/web/dist web/dist
# timetzdata: the image below has no time zones of its own.
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags timetzdata -ldflags '-s -w' -o /steward ./cmd/steward

FROM scratch
COPY --from=program /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=program /steward /steward
USER 65532:65532
EXPOSE 8080
# No HEALTHCHECK: ask /healthz (alive) and /readyz (may get traffic) from outside, as every orchestrator can.
ENTRYPOINT ["/steward"]
CMD ["serve"]
