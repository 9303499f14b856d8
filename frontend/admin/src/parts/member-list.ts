import './virtual-list.ts'
import { LitElement, css, html } from 'lit'
import { customElement, property } from 'lit/decorators.js'
import * as api from '../services/api.ts'
import { count } from '../services/format.ts'
import { linkTo } from '../services/routes.ts'
import { Directory } from './directory.ts'
import { base } from './style.ts'
import { named } from './user-text.ts'
import type { PropertyValues } from 'lit'
import type { UserRow } from '../services/api.ts'
import type { Column } from './virtual-list.ts'

const COLUMNS: readonly Column<UserRow>[] = [
  {
    key: 'user',
    title: 'User',
    cell: ({ user }) =>
      html`<a class="name" tabindex="-1" href=${linkTo.user(user)}>${named(user)}</a>`,
  },
  {
    key: 'total_connections',
    title: 'Connections',
    isNumber: true,
    cell: (row) => count(row.total_connections),
  },
]

/** The users in a channel. */
@customElement('cs-member-list')
export class MemberList extends LitElement {
  @property({ attribute: false }) name = ''
  readonly #directory = new Directory<UserRow>(
    this,
    { key: 'user', order: 'asc' },
    ({ search, offset, limit }) => api.users({ channel: this.name, search, offset, limit }),
  )

  static override styles = [
    base,
    css`
      cs-virtual-list {
        --columns: minmax(0, 1fr) 96px;
        block-size: 300px;
      }
      .find {
        padding: 8px 16px;
        border-bottom: 1px solid var(--line);
      }
    `,
  ]

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('name') && changed.get('name')) this.#directory.reset()
  }

  override render() {
    const { pages, search, version, onSearch } = this.#directory
    return html`<section class="box" aria-labelledby="heading">
      <header>
        <h2 id="heading">Members</h2>
        <span class="quiet small">${pages.total === undefined ? '' : count(pages.total)}</span>
      </header>
      <div class="find">
        <input
          type="search"
          aria-label="Search members by name"
          placeholder="Search by name"
          .value=${search}
          @input=${onSearch}
        />
      </div>
      <cs-virtual-list
        .label=${'Members'}
        .columns=${COLUMNS}
        .pages=${pages}
        .version=${version}
        .empty=${search ? 'No member matches the search.' : 'No members.'}
        @choose=${({ detail }: CustomEvent<UserRow>) => (location.hash = linkTo.user(detail.user))}
      ></cs-virtual-list>
    </section>`
  }
}
