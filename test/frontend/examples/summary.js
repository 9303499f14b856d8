/** What a hook tells, as text that a test can read from the page. */
export const summary = ({ messages, members, status, gaps }) =>
  JSON.stringify({
    texts: messages.map(({ message }) => message.text),
    members: members && Object.fromEntries([...members].sort()),
    status,
    gaps,
  })
