import { LitElement, html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { inBackground } from '../services/background.ts'
import { base } from './style.ts'
import { virtualListStyle } from './virtual-list-style.ts'
import type { PropertyValues, TemplateResult } from 'lit'
import type { Pages } from '../services/pages.ts'

export interface Column<Row> {
  /** Also the sort key, if the column is sortable. */
  readonly key: string
  readonly title: string
  readonly isSortable?: boolean
  /** Numbers are aligned to the end of the column. */
  readonly isNumber?: boolean
  readonly cell: (row: Row) => TemplateResult | string
}

export interface Sorting {
  readonly key: string
  readonly order: 'asc' | 'desc'
}

/** The number of rows rendered beyond the visible ones, at either end. */
const OVERSCAN = 8
/** Browsers limit the height of elements. A longer list scrolls in larger steps. */
const MAX_HEIGHT_PX = 10_000_000

/**
 * A table of any length that renders only the visible rows. It is one tab stop: arrow keys, Page Up, Page Down, Home
 * and End select a row, Enter opens it. Dispatches `choose` with the row, and `sort` with the column.
 */
@customElement('cs-virtual-list')
export class VirtualList<Row> extends LitElement {
  @property({ attribute: false }) label = ''
  @property({ attribute: false }) columns: readonly Column<Row>[] = []
  @property({ attribute: false }) pages: Pages<Row> | undefined
  /** Incremented with every change of `pages`. */
  @property({ attribute: false }) version = 0
  @property({ attribute: false }) sorting: Sorting | undefined
  @property({ attribute: false }) rowHeight = 40
  @property({ attribute: false }) empty = 'No entries.'
  @state() private scrolled = 0
  @state() private height = 400
  @state() private active = 0
  readonly #resizes = new ResizeObserver(([entry]) => {
    this.height = entry?.contentRect.height ?? this.height
  })

  static override styles = [base, virtualListStyle]

  override connectedCallback(): void {
    super.connectedCallback()
    inBackground(this.updateComplete.then(() => this.isConnected && this.#resizes.observe(this)))
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#resizes.disconnect()
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('pages') && changed.get('pages')) {
      this.active = 0
      this.scrolled = 0
    }
  }

  override render() {
    const total = this.pages?.total
    const { first, last } = this.#range()
    const isEmpty = total === 0 || (total === undefined && this.pages?.fault !== undefined)
    return html`<div
      class="scroller"
      role="grid"
      tabindex="0"
      aria-label=${this.label}
      aria-rowcount=${total === undefined ? -1 : total + 1}
      aria-activedescendant=${
        total && this.active >= first && this.active < last ? `row-${this.active}` : nothing
      }
      @scroll=${this.#onScroll}
      @keydown=${this.#onKey}
    >
      <div class="head" role="rowgroup">
        <div role="row" aria-rowindex="1">
          ${this.columns.map((column) => this.#heading(column))}
        </div>
      </div>
      <div class="space" role="rowgroup">
        <div class="rows" role="presentation">
          ${Array.from({ length: last - first }, (_, at) => this.#row(first + at))}
        </div>
      </div>
      ${isEmpty ? html`<p class="empty">${this.pages?.fault ?? this.empty}</p>` : nothing}
      ${total === undefined && !isEmpty ? html`<p class="empty">Loading…</p>` : nothing}
    </div>`
  }

  /** Sets sizes by script, since the Content-Security-Policy allows no style attributes. */
  protected override updated(changed: PropertyValues): void {
    const scroller = this.#scroller
    const space = this.renderRoot.querySelector<HTMLElement>('.space')
    const rows = this.renderRoot.querySelector<HTMLElement>('.rows')
    if (!scroller || !space || !rows) return
    if (changed.has('pages')) scroller.scrollTop = this.scrolled
    space.style.height = `${this.#spaceHeight}px`
    const { first, last } = this.#range()
    const above = this.#offset - first * this.rowHeight
    rows.style.transform = `translateY(${this.scrolled - above}px)`
    for (const row of rows.children) (row as HTMLElement).style.height = `${this.rowHeight}px`
    // Not at every render: a page that failed to load would be requested in an endless loop.
    if (changed.has('pages') || changed.has('scrolled') || changed.has('height'))
      this.pages?.want(first, last)
  }

  #heading(column: Column<Row>) {
    const isSorted = this.sorting?.key === column.key
    const order = isSorted && this.sorting?.order === 'desc' ? 'descending' : 'ascending'
    const arrow = html`<span class="arrow" aria-hidden="true"
      >${isSorted ? (order === 'ascending' ? '↑' : '↓') : ''}</span
    >`
    return html`<div
      role="columnheader"
      class=${column.isNumber ? 'number' : ''}
      aria-sort=${isSorted ? order : nothing}
    >
      ${
        column.isSortable
          ? html`<button type="button" @click=${() => this.#dispatch('sort', column)}>
              ${column.isNumber ? arrow : ''}${column.title}${column.isNumber ? '' : arrow}
            </button>`
          : column.title
      }
    </div>`
  }

  #row(index: number) {
    const row = this.pages?.row(index)
    return html`<div
      role="row"
      id="row-${index}"
      class=${index === this.active ? 'active' : ''}
      aria-rowindex=${index + 2}
      @click=${() => this.#choose(index)}
    >
      ${this.columns.map(
        (column) =>
          html`<div role="gridcell" class=${column.isNumber ? 'number' : ''}>
            ${row === undefined ? '…' : column.cell(row)}
          </div>`,
      )}
    </div>`
  }

  get #scroller(): HTMLElement | null {
    return this.renderRoot.querySelector('.scroller')
  }

  get #total(): number {
    return this.pages?.total ?? 0
  }

  get #fullHeight(): number {
    return this.#total * this.rowHeight
  }

  get #spaceHeight(): number {
    return Math.min(MAX_HEIGHT_PX, this.#fullHeight)
  }

  /** The position of the upper edge in the whole list, in pixels. */
  get #offset(): number {
    const [full, space] = [this.#fullHeight, this.#spaceHeight]
    return full === space ? this.scrolled : (this.scrolled / space) * full
  }

  #range(): { readonly first: number; readonly last: number } {
    const top = Math.floor(this.#offset / this.rowHeight)
    const first = Math.max(0, Math.min(top, this.#total - 1) - OVERSCAN)
    const count = Math.ceil(this.height / this.rowHeight) + 2 * OVERSCAN
    return { first, last: Math.min(this.#total, first + count) }
  }

  readonly #onScroll = (): void => {
    this.scrolled = this.#scroller?.scrollTop ?? 0
  }

  readonly #onKey = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.altKey || event.ctrlKey || event.metaKey)
      return
    const page = Math.max(1, Math.floor(this.height / this.rowHeight) - 2)
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    }
    if (event.key === 'Enter') this.#choose(this.active)
    else if (steps[event.key] === undefined) return
    else this.#activate(this.active + (steps[event.key] ?? 0))
    event.preventDefault()
  }

  #activate(index: number): void {
    this.active = Math.max(0, Math.min(this.#total - 1, index))
    const scroller = this.#scroller
    if (!scroller) return
    const scale = this.#fullHeight === 0 ? 1 : this.#spaceHeight / this.#fullHeight
    const head = this.renderRoot.querySelector<HTMLElement>('.head')?.offsetHeight ?? 0
    const top = this.active * this.rowHeight * scale
    const lowest = top + head + this.rowHeight - this.height
    if (top < scroller.scrollTop) scroller.scrollTop = top
    else if (lowest > scroller.scrollTop) scroller.scrollTop = lowest
  }

  #choose(index: number): void {
    this.active = index
    const row = this.pages?.row(index)
    if (row !== undefined) this.#dispatch('choose', row)
  }

  #dispatch(name: 'choose' | 'sort', detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }))
  }
}
