import { LitElement, css, html, nothing } from 'lit'
import { customElement, property, query, state } from 'lit/decorators.js'
import { base } from './style.ts'

/** A confirmation dialog. Its content is slotted. `act` runs on confirmation; the dialog shows its error. */
@customElement('cs-dialog')
export class Dialog extends LitElement {
  @property({ attribute: false }) heading = ''
  @property({ attribute: false }) verb = 'OK'
  @property({ attribute: false }) isDestructive = false
  @property({ attribute: false }) act: () => Promise<unknown> = () => Promise.resolve()
  @state() private fault: string | undefined
  @state() private isBusy = false
  @query('dialog') private readonly dialog!: HTMLDialogElement

  static override styles = [
    base,
    css`
      dialog {
        inline-size: min(520px, calc(100vw - 32px));
        padding: 24px;
        color: var(--text);
        background: var(--surface);
        border: 1px solid var(--line);
        border-radius: 12px;
      }
      dialog::backdrop {
        background: rgb(10 14 20 / 0.5);
      }
      form {
        gap: 16px;
      }
      h2 {
        font-size: 16px;
      }
      .row {
        justify-content: flex-end;
      }
      button.first.danger {
        color: light-dark(#ffffff, #22100e);
        background: var(--danger);
      }
    `,
  ]

  /** Opens the dialog as a modal. The browser traps the focus inside and restores it afterwards. */
  open(): void {
    this.fault = undefined
    this.dialog.showModal()
  }

  override render() {
    return html`<dialog aria-labelledby="heading">
      <form method="dialog" @submit=${this.#onSubmit}>
        <h2 id="heading">${this.heading}</h2>
        <div><slot></slot></div>
        ${this.fault === undefined ? nothing : html`<p class="fault" role="alert">${this.fault}</p>`}
        <div class="row">
          <button type="button" @click=${() => this.dialog.close()}>Cancel</button>
          <button class="first ${this.isDestructive ? 'danger' : ''}" ?disabled=${this.isBusy}>
            ${this.verb}
          </button>
        </div>
      </form>
    </dialog>`
  }

  readonly #onSubmit = async (submitting: Event): Promise<void> => {
    submitting.preventDefault()
    this.isBusy = true
    try {
      await this.act()
      this.dialog.close()
    } catch (error) {
      this.fault = error instanceof Error ? error.message : String(error)
    } finally {
      this.isBusy = false
    }
  }
}
