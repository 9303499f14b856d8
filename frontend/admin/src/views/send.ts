import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, state } from 'lit/decorators.js'
import { base } from '../parts/style.ts'
import { named } from '../parts/user-text.ts'
import * as api from '../services/api.ts'
import { readJson } from '../services/json.ts'
import { linkTo } from '../services/routes.ts'
import type { OutgoingMessage } from '../services/api.ts'

type Audience = 'channel' | 'users'

/** A form that posts one message, as a backend would. */
@customElement('cs-send')
export class Send extends LitElement {
  @property({ attribute: false }) channel = ''
  @state() private audience: Audience = 'channel'
  @state() private isJson = false
  @state() private isBusy = false
  @state() private fault: string | undefined
  @state() private sent:
    { readonly uuid: string; readonly channel?: string | undefined } | undefined

  static override styles = [
    base,
    css`
      h1 {
        margin-bottom: 16px;
      }
      form {
        max-width: 640px;
        padding: 16px;
      }
      .pair {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 16px;
      }
      .json {
        font-family: var(--mono);
        font-size: 13px;
      }
      fieldset.row {
        display: flex;
        gap: 4px 16px;
      }
      @media (max-width: 640px) {
        .pair {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ]

  override render() {
    return html`<h1 tabindex="-1">Send a message</h1>
      <form class="box" @submit=${this.#send}>
        <fieldset class="row">
          <legend>To</legend>
          ${this.#choice('channel', 'Channel')}${this.#choice('users', 'Users (private message)')}
        </fieldset>
        <div class="pair">
          ${
            this.audience === 'channel'
              ? html`<label class="field">
                  <span>Channel</span>
                  <input name="channel" required autocomplete="off" .value=${this.channel} />
                </label>`
              : html`<label class="field">
                  <span>Users, one per line</span>
                  <textarea name="users" rows="2" required></textarea>
                </label>`
          }
          <label class="field">
            <span>From</span>
            <input name="user" required autocomplete="off" value="admin" />
          </label>
        </div>
        <label class="field">
          <span>${this.isJson ? 'Message (JSON)' : 'Text'}</span>
          <textarea name="message" required class=${this.isJson ? 'json' : ''}></textarea>
        </label>
        <label class="choice">
          <input
            type="checkbox"
            name="json"
            @change=${(event: Event) => (this.isJson = (event.target as HTMLInputElement).checked)}
          />
          <span>Send as JSON (an object with any keys)</span>
        </label>
        <label class="choice">
          <input type="checkbox" name="no_history" />
          <span>Do not store in the history</span>
        </label>
        <div class="row">
          <button class="first" ?disabled=${this.isBusy}>Send</button>
          <span role="status">${this.sent ? this.#sentNote(this.sent) : nothing}</span>
        </div>
        ${this.fault === undefined ? nothing : html`<p class="fault" role="alert">${this.fault}</p>`}
      </form>`
  }

  #choice(audience: Audience, title: string) {
    return html`<label class="choice">
      <input
        type="radio"
        name="to"
        value=${audience}
        .checked=${this.audience === audience}
        @change=${() => (this.audience = audience)}
      />
      <span>${title}</span>
    </label>`
  }

  #sentNote({ uuid, channel }: NonNullable<typeof this.sent>) {
    return html`Sent
      ${
        channel === undefined
          ? nothing
          : html`to <a href=${linkTo.channel(channel)}>${named(channel)}</a>`
      } <span class="mono quiet">${uuid}</span>`
  }

  readonly #send = async (submitting: SubmitEvent): Promise<void> => {
    submitting.preventDefault()
    const form = submitting.target as HTMLFormElement
    this.isBusy = true
    this.fault = undefined
    this.sent = undefined
    try {
      const outgoing = this.#messageFrom(new FormData(form))
      const [message] = await api.send(outgoing)
      this.sent = { uuid: message?.uuid ?? '', channel: outgoing.channel }
      form.querySelector<HTMLTextAreaElement>('[name=message]')!.value = ''
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error)
    } finally {
      this.isBusy = false
    }
  }

  #messageFrom(form: FormData): OutgoingMessage {
    const text = (name: string): string => (form.get(name) as string | null) ?? ''
    const users = text('users')
      .split('\n')
      .map((line) => line.trim())
    return {
      user: text('user'),
      message: this.isJson ? objectOf(text('message')) : { text: text('message') },
      no_history: form.has('no_history'),
      ...(this.audience === 'channel'
        ? { channel: text('channel') }
        : { pm_users: users.filter((user) => user !== '') }),
    }
  }
}

function objectOf(json: string): unknown {
  try {
    return readJson(json)
  } catch (error) {
    throw new Error(
      `The message is not valid JSON: ${error instanceof Error ? error.message : ''}`,
      {
        cause: error,
      },
    )
  }
}
