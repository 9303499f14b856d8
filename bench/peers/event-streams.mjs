/** This server and nchan, whose subscribers listen by Server-Sent Events. */
import * as channelstream from './channelstream.mjs'
import * as nchan from './nchan.mjs'

export const EVENT_STREAMS = [
  {
    ...channelstream,
    name: 'channelstream-sse',
    about: 'this server, by Server-Sent Events',
    async start(place) {
      const server = await channelstream.start(place)
      const paths = (count, channels) =>
        server.paths(count, channels).map((path) => path.replace('/ws', '/sse'))
      return { ...server, paths }
    },
  },
  {
    ...nchan,
    name: 'nchan-sse',
    about: 'nginx with nchan, by Server-Sent Events',
    start: (place) => nchan.start(place, '/sse'),
  },
]
