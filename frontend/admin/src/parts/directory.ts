import { Pages } from '../services/pages.ts'
import { Refresh } from '../services/watch.ts'
import type { ReactiveController, ReactiveControllerHost } from 'lit'
import type { Page } from '../services/pages.ts'
import type { Sorting } from './virtual-list.ts'

export interface PageQuery {
  readonly search: string
  readonly sorting: Sorting
  readonly offset: number
  readonly limit: number
}

/** Seconds between refreshes of the visible rows. */
const REFRESH_SECONDS = 3
const SEARCH_DELAY_MS = 200

/** The state of a searchable, sortable, paged list. */
export class Directory<Row> implements ReactiveController {
  pages: Pages<Row>
  /** The list that was requested last. Shown once it is loaded. */
  #next: Pages<Row>
  /** Incremented with every change of the pages. */
  version = 0
  search = ''
  #searchTimer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly host: ReactiveControllerHost,
    public sorting: Sorting,
    private readonly read: (query: PageQuery) => Promise<Page<Row>>,
  ) {
    this.pages = this.#next = this.#open()
    host.addController(this)
    new Refresh(host, REFRESH_SECONDS, () => this.pages.refresh())
  }

  hostDisconnected(): void {
    clearTimeout(this.#searchTimer)
  }

  /** Searches after a short pause in typing. */
  readonly onSearch = (typing: Event): void => {
    this.search = (typing.target as HTMLInputElement).value
    clearTimeout(this.#searchTimer)
    this.#searchTimer = setTimeout(() => this.restart(), SEARCH_DELAY_MS)
  }

  /** Sorts numbers and times in descending order first, names in ascending order. A second click reverses the order. */
  readonly onSort = ({ detail }: CustomEvent<{ key: string; isNumber?: boolean }>): void => {
    const isSame = this.sorting.key === detail.key
    const first = detail.isNumber ? 'desc' : 'asc'
    const reversed = this.sorting.order === 'asc' ? 'desc' : 'asc'
    this.sorting = { key: detail.key, order: isSame ? reversed : first }
    this.restart()
  }

  /** Reloads the list. The old rows stay visible until it is loaded. */
  restart(): void {
    this.#next = this.#open()
    this.#next.want(0, 1)
  }

  /** Switches to another list. Nothing is shown until it is loaded. */
  reset(): void {
    this.pages = this.#next = this.#open()
    this.host.requestUpdate()
  }

  #open(): Pages<Row> {
    const { search, sorting } = this
    const pages = new Pages(
      (offset, limit) => this.read({ search, sorting, offset, limit }),
      () => {
        if (pages === this.#next) this.pages = pages
        this.version++
        this.host.requestUpdate()
      },
    )
    return pages
  }
}

/** A media query. Re-renders its host when the result changes. */
export class Media implements ReactiveController {
  readonly #list: MediaQueryList
  readonly #changed: () => void

  constructor(host: ReactiveControllerHost, query: string) {
    this.#list = matchMedia(query)
    this.#changed = () => host.requestUpdate()
    host.addController(this)
  }

  get matches(): boolean {
    return this.#list.matches
  }

  hostConnected(): void {
    this.#list.addEventListener('change', this.#changed)
  }

  hostDisconnected(): void {
    this.#list.removeEventListener('change', this.#changed)
  }
}

export const PHONE = '(max-width: 640px)'
