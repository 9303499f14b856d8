import { css } from 'lit'

/** Lists of messages: user and time above, the text below. They scroll inside their box. */
export const messageStyle = css`
  ol {
    margin: 0;
    padding: 0;
    list-style: none;
    max-block-size: max(420px, 70dvh);
    overflow: hidden auto;
    overscroll-behavior: contain;
  }
  ol:focus-visible {
    outline-offset: -2px;
  }
  li {
    display: grid;
    gap: 4px;
    padding: 8px 16px;
    border-bottom: 1px solid var(--line);
  }
  li:last-child {
    border-bottom: 0;
  }
  .meta {
    display: flex;
    flex-wrap: wrap;
    gap: 0 12px;
    align-items: baseline;
    min-width: 0;
  }
  .who {
    font-weight: 600;
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .what {
    max-block-size: 240px;
    overflow: hidden auto;
    unicode-bidi: isolate;
  }
  .tag {
    padding: 0 8px;
    border: 1px solid var(--line);
    border-radius: 10px;
    font-size: 12px;
    color: var(--quiet);
    overflow-wrap: anywhere;
  }
`
