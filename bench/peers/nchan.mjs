/** nginx with nchan, one worker: Debian's packages nginx and libnginx-mod-nchan. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, freePort, startServer } from '../lib/processes.mjs'
import { CHANNEL, channelName, payload, post } from '../lib/requests.mjs'

const NGINX = '/usr/sbin/nginx'
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so'

export const name = 'nchan'
export const about = 'nginx with nchan, one worker'

export const missing = () =>
  existsSync(NGINX) && existsSync(MODULE)
    ? undefined
    : 'install it: sudo apt-get install -y --no-install-recommends nginx libnginx-mod-nchan'

/**
 * @param {import('./peer.mjs').Place} place
 * @param {string} [path] where subscribers listen
 */
export async function start({ core }, path = '/listen') {
  const directory = await mkdtemp(join(tmpdir(), 'channelstream-bench-nchan-'))
  const port = await freePort()
  await writeFile(join(directory, 'nginx.conf'), configuration(port, directory))
  const server = await startServer([NGINX, '-p', directory, '-c', 'nginx.conf', '-e', 'stderr'], {
    core,
    ready: /start worker process \d+/,
    cwd: directory,
  })
  await sleep(200) // the worker has been forked, but may not listen yet
  return {
    port,
    pids: [server.pid, ...childrenOf(server.pid)],
    paths: (count, channels) =>
      Array.from({ length: count }, (_, i) => `${path}?id=${channelName(i % channels)}`),
    publishRequest: ({ filler }) => post(`/publish?id=${CHANNEL}`, payload(filler)),
    churnSteps: [['open', '/listen?id=c00000'], ['close']],
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

const configuration = (port, directory) => `
load_module ${MODULE};
worker_processes 1;
daemon off;
pid ${directory}/nginx.pid;
error_log stderr notice;
events { worker_connections 19000; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  nchan_shared_memory_size 512M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location = /publish {
      nchan_publisher;
      nchan_channel_id $arg_id;
      # As many as Channelstream keeps for reconnecting clients.
      nchan_message_buffer_length 100;
    }
    location = /listen {
      nchan_subscriber websocket;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message newest;
    }
    location = /sse {
      nchan_subscriber eventsource;
      nchan_channel_id $arg_id;
      nchan_subscriber_first_message newest;
    }
  }
}
`
