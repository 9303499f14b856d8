import { inBackground } from '../lib/in-background.ts'
import { FIGURES } from '../protocol/admin.ts'
import type { Cancel, Clock } from '../lib/clock.ts'
import type { Reading } from '../protocol/admin.ts'
import type { Readings } from './readings.ts'

export const INTERVAL_MS = 5_000
/** One hour. */
export const CAPACITY = 720

/** The figures of this server in the last hour, every five seconds. 75 KB, allocated once. */
export class FiguresHistory {
  readonly #times = new Float64Array(CAPACITY)
  readonly #columns = FIGURES.map(() => new Float64Array(CAPACITY))
  /** Readings taken so far. Modulo the capacity, this is the index of the next one. */
  #taken = 0
  #readings: Readings | undefined
  #cancel: Cancel | undefined

  constructor(
    private readonly open: () => Readings,
    private readonly clock: Clock,
    private readonly onFault: (error: unknown) => void,
  ) {}

  /** Takes the first reading immediately. */
  start(): void {
    if (this.#cancel) return
    const readings = (this.#readings = this.open())
    const take = (): void => inBackground(this.#take(readings), this.onFault)
    this.#cancel = this.clock.every(INTERVAL_MS, take)
    take()
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#readings?.stop()
  }

  /** Returns the readings, oldest first. Failed readings are missing; the times show the gaps. */
  series() {
    const series = FIGURES.map((name, index) => [name, this.#inOrder(this.#columns[index])])
    return {
      interval_seconds: INTERVAL_MS / 1000,
      times: this.#inOrder(this.#times),
      series: Object.fromEntries(series) as Record<keyof Reading, number[]>,
    }
  }

  /** Returns the newest reading; zeros before the first. */
  current(): Reading {
    const at = (this.#taken + CAPACITY - 1) % CAPACITY
    const newest = FIGURES.map((name, index) => [name, this.#columns[index]?.[at] ?? 0])
    return Object.fromEntries(newest) as Reading
  }

  async #take(readings: Readings): Promise<void> {
    const reading = await readings.take()
    const at = this.#taken++ % CAPACITY
    this.#times[at] = Math.floor(this.clock.wallTime())
    for (const [index, name] of FIGURES.entries()) {
      const column = this.#columns[index]
      if (column) column[at] = reading[name]
    }
  }

  #inOrder(column: Float64Array = this.#times): number[] {
    const next = this.#taken % CAPACITY
    return this.#taken < CAPACITY
      ? [...column.subarray(0, next)]
      : [...column.subarray(next), ...column.subarray(0, next)]
  }
}
