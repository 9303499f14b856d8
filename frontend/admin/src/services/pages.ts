export interface Page<Row> {
  readonly total: number
  readonly rows: readonly Row[]
}

export const PAGE_ROWS = 100
/** Pages that are kept; those that were not looked at for longest go first. */
const MAX_PAGES = 20

/**
 * A long list of which the pages that are looked at are read. What is known stays in place until what is newer has come.
 */
export class Pages<Row> {
  /** Undefined until the first page is there. */
  total: number | undefined
  fault: string | undefined
  #pages = new Map<number, readonly Row[]>()
  readonly #asked = new Set<number>()
  #wanted: readonly number[] = [0]

  constructor(
    private readonly read: (offset: number, limit: number) => Promise<Page<Row>>,
    private readonly changed: () => void,
  ) {}

  row(index: number): Row | undefined {
    return this.#pages.get(Math.floor(index / PAGE_ROWS))?.[index % PAGE_ROWS]
  }

  /** Says which rows are looked at, the last one not included. */
  want(from: number, to: number): void {
    const first = Math.floor(from / PAGE_ROWS)
    const last = Math.floor(Math.max(from, to - 1) / PAGE_ROWS)
    this.#wanted = Array.from({ length: last - first + 1 }, (_, step) => first + step)
    for (const page of this.#wanted) if (!this.#pages.has(page)) this.#ask(page)
  }

  /** Reads what is looked at anew. */
  refresh(): void {
    for (const page of this.#wanted) this.#ask(page)
  }

  #ask(page: number): void {
    if (this.#asked.has(page)) return
    this.#asked.add(page)
    void this.read(page * PAGE_ROWS, PAGE_ROWS)
      .then(
        ({ total, rows }) => this.#take(page, total, rows),
        (error: unknown) => {
          this.fault = error instanceof Error ? error.message : String(error)
        },
      )
      .finally(() => {
        this.#asked.delete(page)
        this.changed()
      })
  }

  #take(page: number, total: number, rows: readonly Row[]): void {
    this.fault = undefined
    this.total = total
    this.#pages.delete(page)
    this.#pages.set(page, rows)
    const [oldest] = this.#pages.keys()
    if (this.#pages.size > MAX_PAGES && oldest !== undefined) this.#pages.delete(oldest)
  }
}
