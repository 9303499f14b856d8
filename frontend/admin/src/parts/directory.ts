import { Pages } from '../services/pages.ts'
import { Refresh } from '../services/watch.ts'
import type { ReactiveController, ReactiveControllerHost } from 'lit'
import type { Page } from '../services/pages.ts'
import type { Sorting } from './virtual-list.ts'

export interface Wish {
  readonly search: string
  readonly sorting: Sorting
  readonly offset: number
  readonly limit: number
}

/** Seconds after which the rows in sight are read anew. */
const REFRESH_SECONDS = 3
const TYPING_PAUSE_MS = 200

/** What a view with a search, an order and a long list has to remember. */
export class Directory<Row> implements ReactiveController {
  pages: Pages<Row>
  /** The list that was asked for last; shown as soon as it is there. */
  #next: Pages<Row>
  /** Grows with every change of what the pages hold. */
  version = 0
  search = ''
  #typing: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly host: ReactiveControllerHost,
    public sorting: Sorting,
    private readonly read: (wish: Wish) => Promise<Page<Row>>,
  ) {
    this.pages = this.#next = this.#open()
    host.addController(this)
    new Refresh(host, REFRESH_SECONDS, () => this.pages.refresh())
  }

  hostDisconnected(): void {
    clearTimeout(this.#typing)
  }

  /** Looks for it once nothing more has been typed for a moment. */
  readonly onSearch = (typing: Event): void => {
    this.search = (typing.target as HTMLInputElement).value
    clearTimeout(this.#typing)
    this.#typing = setTimeout(() => this.restart(), TYPING_PAUSE_MS)
  }

  /** Numbers and times begin with the highest, names with the first; once more turns it round. */
  readonly onSort = ({ detail }: CustomEvent<{ key: string; isNumber?: boolean }>): void => {
    const isSame = this.sorting.key === detail.key
    const first = detail.isNumber ? 'desc' : 'asc'
    const turned = this.sorting.order === 'asc' ? 'desc' : 'asc'
    this.sorting = { key: detail.key, order: isSame ? turned : first }
    this.restart()
  }

  /** Reads the list anew. What is shown stays until then. */
  restart(): void {
    this.#next = this.#open()
    this.#next.want(0, 1)
  }

  /** The same for another list: nothing is shown until then. */
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

/** A media query that renders its host anew when it changes. */
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
