import '../parts/virtual-list.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement } from 'lit/decorators.js'
import { Directory, Media, PHONE } from '../parts/directory.ts'
import { listStyle } from '../parts/list-style.ts'
import { base } from '../parts/style.ts'
import { named, timeTag } from '../parts/user-text.ts'
import * as api from '../services/api.ts'
import { count, counted } from '../services/format.ts'
import { linkTo } from '../services/routes.ts'
import type { Column } from '../parts/virtual-list.ts'
import type { ChannelRow } from '../services/api.ts'

type Row = ChannelRow

const nameOf = ({ name }: Row) =>
  html`<a class="name" tabindex="-1" href=${linkTo.channel(name)}>${named(name)}</a>`

const connections: Column<Row> = {
  key: 'total_connections',
  title: 'Connections',
  isSortable: true,
  isNumber: true,
  cell: (row) => count(row.total_connections),
}

const WIDE: readonly Column<Row>[] = [
  { key: 'name', title: 'Name', isSortable: true, cell: nameOf },
  connections,
  {
    key: 'total_users',
    title: 'Users',
    isSortable: true,
    isNumber: true,
    cell: (row) => count(row.total_users),
  },
  {
    key: 'history_length',
    title: 'History',
    isSortable: true,
    isNumber: true,
    cell: (row) => count(row.history_length),
  },
  {
    key: 'last_active',
    title: 'Last active',
    isSortable: true,
    isNumber: true,
    cell: (row) => timeTag(row.last_active),
  },
]

const NARROW: readonly Column<Row>[] = [
  {
    key: 'name',
    title: 'Name',
    isSortable: true,
    cell: (row) =>
      html`${nameOf(row)}<span class="under"
          >${counted(row.total_users, 'user')}, ${timeTag(row.last_active)}</span
        >`,
  },
  connections,
]

/** All channels. */
@customElement('cs-channels')
export class Channels extends LitElement {
  readonly #phone = new Media(this, PHONE)
  readonly #directory = new Directory<Row>(
    this,
    { key: 'name', order: 'asc' },
    ({ sorting, ...query }) =>
      api.channels({ ...query, sort: sorting.key as 'name', order: sorting.order }),
  )

  static override styles = [
    base,
    listStyle,
    css`
      cs-virtual-list {
        --columns: minmax(0, 1fr) 110px 80px 80px 160px;
      }
      @media (max-width: 640px) {
        cs-virtual-list {
          --columns: minmax(0, 1fr) 96px;
        }
      }
    `,
  ]

  override render() {
    const { pages, search, sorting, version, onSearch, onSort } = this.#directory
    const isPhone = this.#phone.matches
    return html`<div class="top">
        <h1 tabindex="-1">Channels</h1>
        <p class="quiet numbers" role=${search ? 'status' : nothing}>
          ${pages.total === undefined ? '' : search ? `${count(pages.total)} found` : count(pages.total)}
        </p>
        <input
          type="search"
          aria-label="Search channels by name"
          placeholder="Search by name"
          .value=${search}
          @input=${onSearch}
        />
      </div>
      <div class="box">
        <cs-virtual-list
          .label=${'Channels'}
          .columns=${isPhone ? NARROW : WIDE}
          .rowHeight=${isPhone ? 56 : 40}
          .pages=${pages}
          .version=${version}
          .sorting=${sorting}
          .empty=${search ? 'No channel matches the search.' : 'No channels yet. They are created when users connect to them.'}
          @sort=${onSort}
          @choose=${({ detail }: CustomEvent<Row>) => (location.hash = linkTo.channel(detail.name))}
        ></cs-virtual-list>
      </div>`
  }
}
