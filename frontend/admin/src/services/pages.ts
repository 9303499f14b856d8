export interface Page<Row> {
  readonly total: number
  readonly rows: readonly Row[]
}

export const PAGE_ROWS = 100
/** The maximum number of cached pages. The least recently loaded ones are dropped first. */
const MAX_PAGES = 20

/** A long list that loads only the visible pages. Old rows stay in place until newer ones are loaded. */
export class Pages<Row> {
  /** Undefined until the first page is loaded. */
  total: number | undefined
  fault: string | undefined
  #pages = new Map<number, readonly Row[]>()
  readonly #loading = new Set<number>()
  #wanted: readonly number[] = [0]

  constructor(
    private readonly read: (offset: number, limit: number) => Promise<Page<Row>>,
    private readonly changed: () => void,
  ) {}

  row(index: number): Row | undefined {
    return this.#pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS]
  }

  /** Sets the range of visible rows, `to` excluded, and loads missing pages. */
  want(from: number, to: number): void {
    const first = Math.floor(from / PAGE_ROWS)
    const last = Math.floor(Math.max(from, to - 1) / PAGE_ROWS)
    this.#wanted = Array.from({ length: last - first + 1 }, (_, step) => first + step)
    for (const page of this.#wanted) if (!this.#pages.has(page)) this.#load(page)
  }

  /** Reloads the visible pages. */
  refresh(): void {
    for (const page of this.#wanted) this.#load(page)
  }

  #load(page: number): void {
    if (this.#loading.has(page)) return
    this.#loading.add(page)
    void this.read(page * PAGE_ROWS, PAGE_ROWS)
      .then(
        ({ total, rows }) => this.#store(page, total, rows),
        (error: unknown) => {
          this.fault = error instanceof Error ? error.message : String(error)
        },
      )
      .finally(() => {
        this.#loading.delete(page)
        this.changed()
      })
  }

  #store(page: number, total: number, rows: readonly Row[]): void {
    this.fault = undefined
    this.total = total
    this.#pages.delete(page)
    this.#pages.set(page, rows)
    const [oldest] = this.#pages.keys()
    if (this.#pages.size > MAX_PAGES && oldest !== undefined) this.#pages.delete(oldest)
  }
}
