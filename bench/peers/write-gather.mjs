/** What the load generator itself can take: the C server with one write() per socket and turn. */
import { startFloor } from './write-loop.mjs'

export const name = 'write-gather'
export const about = 'C loop of one write() per socket and turn'

export const missing = () => undefined

/** @param {import('./peer.mjs').Place} place */
export const start = (place) => startFloor(place, ['gather'])
