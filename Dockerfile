# One server that keeps its data in /data. How to run it: docs/containers.md
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && mkdir data

FROM ${NODE_IMAGE}
WORKDIR /app
COPY --from=build /build/package.json /build/LICENSE ./
COPY --from=build /build/deploy/health.mjs ./
# The program has its packages in it.
COPY --from=build /build/dist ./dist
COPY --from=build --chown=1000:1000 /build/data /data
# In a container, nothing comes from 127.0.0.1: backends have addresses of their own, and sign.
ENV NODE_ENV=production \
    CHANNELSTREAM_HOST=0.0.0.0 \
    CHANNELSTREAM_ALLOW_POSTING_FROM=0.0.0.0 \
    CHANNELSTREAM_DATA_DIR=/data
# `node`. Kubernetes can check a number only.
USER 1000:1000
EXPOSE 8000
VOLUME /data
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["node", "health.mjs"]
ENTRYPOINT ["node", "--max-semi-space-size=16", "dist/main.js"]
