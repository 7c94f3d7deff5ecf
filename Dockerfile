# A node for any host:  docker compose up -d --build   or   docker build -t midwatch .
#
# BUILDER needs Node 24 with npm; BASE is what the node runs on, and gets that Node's binary. CI builds both on a base of its
# own, from a context that already holds dist/ and node_modules/, so that nothing is fetched.
ARG BUILDER=node:24-bookworm-slim
ARG BASE=debian:12-slim

FROM ${BUILDER} AS build
WORKDIR /source
COPY . .
RUN [ -d dist ] || { npm ci --no-audit --no-fund && npm run build && npm prune --omit=dev --no-audit --no-fund; }
RUN mkdir -p /image/opt/midwatch /image/usr/local/bin /image/var/lib/midwatch \
 && cp -r bin dist node_modules package.json LICENSE scripts/healthy.mjs /image/opt/midwatch/ \
 && find /image/opt/midwatch -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete \
 && cp "$(command -v node)" /image/usr/local/bin/node \
 && ln -s /opt/midwatch/bin/midwatch /image/usr/local/bin/midwatch

FROM ${BASE}
# fping measures icmp targets.
RUN command -v fping > /dev/null || { apt-get update && apt-get install -y --no-install-recommends fping && rm -rf /var/lib/apt/lists/*; } \
 && useradd --system --uid 8777 --home-dir /var/lib/midwatch midwatch
COPY --from=build /image/opt /opt
COPY --from=build /image/usr/local/bin /usr/local/bin
COPY --from=build --chown=8777:8777 /image/var/lib/midwatch /var/lib/midwatch

ENV MIDWATCH_DATA=/var/lib/midwatch
USER 8777:8777
WORKDIR /var/lib/midwatch
VOLUME /var/lib/midwatch
EXPOSE 8777/udp 8777/tcp
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 CMD ["node", "/opt/midwatch/healthy.mjs"]
ENTRYPOINT ["midwatch"]
CMD ["up"]
