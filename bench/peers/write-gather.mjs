/** Measures the capacity of the load generator: the C server with one write() per socket and event-loop turn. */
import { startFloor } from './write-loop.mjs'

export const name = 'write-gather'
export const about = 'C loop with one write() per socket and turn'

export const missing = () => undefined

/** @param {import('./peer.mjs').Place} place */
export const start = (place) => startFloor(place, ['gather'])
