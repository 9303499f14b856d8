import { css } from 'lit'

/** A view with one long list. It fills the height of the window, and the list scrolls inside. */
export const listStyle = css`
  :host {
    display: flex;
    flex-direction: column;
    gap: 16px;
    block-size: calc(100dvh - 52px - 48px - 1px);
    min-block-size: 320px;
  }
  .top {
    display: flex;
    flex-wrap: wrap;
    gap: 8px 16px;
    align-items: center;
  }
  .top input {
    inline-size: min(320px, 100%);
    margin-inline-start: auto;
  }
  .box {
    display: flex;
    flex: 1;
    min-height: 0;
  }
  cs-virtual-list {
    flex: 1;
    min-width: 0;
  }
  @media (max-width: 640px) {
    :host {
      gap: 12px;
      block-size: calc(100dvh - 98px - 32px);
    }
    .top input {
      inline-size: 100%;
    }
  }
`
