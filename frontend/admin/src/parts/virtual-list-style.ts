import { css } from 'lit'

export const virtualListStyle = css`
  :host {
    display: flex;
    min-height: 0;
  }
  .scroller {
    position: relative;
    flex: 1;
    min-width: 0;
    overflow: hidden auto;
    overscroll-behavior: contain;
    border-radius: inherit;
  }
  .scroller:focus-visible {
    outline-offset: -2px;
  }
  [role='row'] {
    display: grid;
    grid-template-columns: var(--columns);
    gap: 16px;
    align-items: center;
    padding: 0 16px;
    border-bottom: 1px solid var(--line);
  }
  .head {
    position: sticky;
    top: 0;
    z-index: 1;
    background: var(--surface);
  }
  .head [role='row'] {
    min-height: 36px;
    font-size: 12px;
    font-weight: 600;
    color: var(--quiet);
  }
  .head button {
    min-height: max(28px, var(--tap));
    padding: 0;
    border: 0;
    background: none;
    color: inherit;
    font-weight: inherit;
  }
  .head button:hover,
  .head [aria-sort] button {
    color: var(--text);
  }
  .arrow {
    inline-size: 8px;
  }
  .space {
    position: relative;
    overflow: hidden;
  }
  .rows {
    position: absolute;
    inset: 0 0 auto 0;
  }
  .rows [role='row'] {
    cursor: pointer;
  }
  .rows [role='row']:hover {
    background: var(--tint);
  }
  .scroller:focus-visible .active {
    background: var(--tint);
    box-shadow: inset 3px 0 0 var(--accent);
  }
  .number {
    text-align: end;
    justify-content: flex-end;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }
  [role='gridcell'] {
    min-width: 0;
  }
  .name {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    color: var(--text);
    font-weight: 550;
    text-decoration: none;
  }
  .name:hover {
    text-decoration: underline;
  }
  .under {
    display: block;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    font-size: 12px;
    color: var(--quiet);
  }
`
