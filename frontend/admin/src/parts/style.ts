import { css } from 'lit'

/** The base style of all components: type, controls, boxes. Spacing is 4, 8, 12, 16, 24 or 32 px. */
export const base = css`
  :host {
    display: block;
  }
  *,
  ::before,
  ::after {
    box-sizing: border-box;
  }
  [hidden] {
    display: none !important;
  }
  h1,
  h2,
  h3,
  p,
  dl,
  dd {
    margin: 0;
  }
  h1 {
    font-size: 20px;
    line-height: 1.3;
    font-weight: 650;
    letter-spacing: -0.01em;
    overflow-wrap: anywhere;
  }
  h1:focus {
    outline: none;
  }
  h2 {
    font-size: 14px;
    font-weight: 650;
  }
  a {
    color: var(--accent);
  }
  .quiet {
    color: var(--quiet);
  }
  .small {
    font-size: 12px;
  }
  .mono {
    font-family: var(--mono);
    font-size: 12px;
  }
  .numbers {
    font-variant-numeric: tabular-nums;
  }
  .wrap {
    overflow-wrap: anywhere;
    white-space: pre-wrap;
  }
  .row {
    display: flex;
    flex-wrap: wrap;
    gap: 8px;
    align-items: center;
  }
  .spread {
    margin-inline-start: auto;
  }
  .box {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 10px;
    overflow: clip;
  }
  .box > header {
    display: flex;
    flex-wrap: wrap;
    gap: 4px 12px;
    align-items: center;
    min-height: 44px;
    padding: 8px 16px;
    border-bottom: 1px solid var(--line);
  }
  .empty {
    padding: 24px 16px;
    text-align: center;
    color: var(--quiet);
  }
  .fault {
    color: var(--danger);
    overflow-wrap: anywhere;
  }
  button,
  .button,
  input,
  textarea,
  select {
    font: inherit;
    color: var(--text);
    background: var(--surface);
    border: 1px solid var(--edge);
    border-radius: 6px;
  }
  input:not([type='checkbox'], [type='radio']),
  textarea,
  select {
    width: 100%;
    min-height: max(36px, var(--tap));
    padding: 6px 10px;
  }
  textarea {
    resize: vertical;
    min-height: 96px;
  }
  ::placeholder {
    color: var(--quiet);
    opacity: 1;
  }
  input[type='checkbox'],
  input[type='radio'] {
    inline-size: 16px;
    block-size: 16px;
    margin: 0;
    accent-color: var(--accent);
    flex: none;
  }
  button,
  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 8px;
    min-height: max(32px, var(--tap));
    padding: 4px 12px;
    border-color: var(--line);
    font-weight: 550;
    text-decoration: none;
    cursor: pointer;
  }
  button:hover,
  .button:hover {
    border-color: var(--edge);
  }
  button:disabled {
    opacity: 0.55;
    cursor: default;
  }
  button.first {
    color: var(--on-accent);
    background: var(--accent);
    border-color: transparent;
  }
  button.first:hover {
    filter: brightness(1.08);
  }
  button.danger {
    color: var(--danger);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  form {
    display: grid;
    gap: 16px;
  }
  .field {
    display: grid;
    gap: 4px;
  }
  .field > span,
  legend {
    font-weight: 600;
    padding: 0;
  }
  fieldset {
    border: 0;
    margin: 0;
    padding: 0;
    display: grid;
    gap: 8px;
    min-inline-size: 0;
  }
  .choice {
    display: flex;
    gap: 8px;
    align-items: flex-start;
  }
  .choice input {
    margin-top: 2px;
  }
  @media (pointer: coarse) {
    /* Phones zoom into fields with a smaller font. */
    input,
    textarea,
    select {
      font-size: 16px;
    }
    .choice {
      padding-block: 8px;
    }
  }
`
