import '../parts/virtual-list.ts'
import { LitElement, css, html, nothing } from 'lit'
import { customElement } from 'lit/decorators.js'
import { Directory, Media, PHONE } from '../parts/directory.ts'
import { listStyle } from '../parts/list-style.ts'
import { base } from '../parts/style.ts'
import { named } from '../parts/user-text.ts'
import * as api from '../services/api.ts'
import { count, counted } from '../services/format.ts'
import { visible } from '../services/names.ts'
import { linkTo } from '../services/routes.ts'
import type { Column } from '../parts/virtual-list.ts'
import type { UserRow } from '../services/api.ts'

type Row = UserRow

const nameOf = ({ user }: Row) =>
  html`<a class="name" tabindex="-1" href=${linkTo.user(user)}>${named(user)}</a>`

const stateOf = ({ state }: Row) =>
  html`<span class="under mono"
    >${Object.keys(state).length === 0 ? '' : visible(JSON.stringify(state))}</span
  >`

const connections: Column<Row> = {
  key: 'total_connections',
  title: 'Connections',
  isSortable: true,
  isNumber: true,
  cell: (row) => count(row.total_connections),
}

const WIDE: readonly Column<Row>[] = [
  { key: 'user', title: 'Name', isSortable: true, cell: nameOf },
  { key: 'state', title: 'State', cell: stateOf },
  connections,
]

const NARROW: readonly Column<Row>[] = [
  {
    key: 'user',
    title: 'Name',
    isSortable: true,
    cell: (row) => html`${nameOf(row)}${stateOf(row)}`,
  },
  connections,
]

/** All users that the server knows, whether connected or not. */
@customElement('cs-users')
export class Users extends LitElement {
  readonly #phone = new Media(this, PHONE)
  readonly #directory = new Directory<Row>(
    this,
    { key: 'user', order: 'asc' },
    ({ sorting, ...query }) =>
      api.users({ ...query, sort: sorting.key as 'user', order: sorting.order }),
  )

  static override styles = [
    base,
    listStyle,
    css`
      cs-virtual-list {
        --columns: minmax(0, 1fr) minmax(0, 1fr) 110px;
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
        <h1 tabindex="-1">Users</h1>
        <p class="quiet numbers" role=${search ? 'status' : nothing}>
          ${pages.total === undefined ? '' : search ? `${count(pages.total)} found` : counted(pages.total, 'known', 'known')}
        </p>
        <input
          type="search"
          aria-label="Search users by name"
          placeholder="Search by name"
          .value=${search}
          @input=${onSearch}
        />
      </div>
      <div class="box">
        <cs-virtual-list
          .label=${'Users'}
          .columns=${isPhone ? NARROW : WIDE}
          .rowHeight=${isPhone ? 56 : 40}
          .pages=${pages}
          .version=${version}
          .sorting=${sorting}
          .empty=${search ? 'No user matches the search.' : 'No users yet. They are created when a backend connects them.'}
          @sort=${onSort}
          @choose=${({ detail }: CustomEvent<Row>) => (location.hash = linkTo.user(detail.user))}
        ></cs-virtual-list>
      </div>`
  }
}
