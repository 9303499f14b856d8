import { describe, expect, it, onTestFinished } from 'vitest'
import { CLOSE } from '../../src/protocol/close-codes.ts'
import { Event } from '../../src/protocol/events.ts'
import { startServer } from '../helpers/server.ts'
import { fencesIn, fencesOf, headingsOf, readPage, sectionOf } from './markdown.ts'
import { at, comparable, runShell } from './running.ts'

const page = await readPage('docs/protocol.md')
const MARK = '--- next ---'

describe('docs/protocol.md', () => {
  it('shows what its examples answer, one after the other', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const examples = examplesOf(page)
    const script = examples.map(({ command }) => command).join(`\nprintf '\\n${MARK}\\n'\n`)
    const { stdout } = await runShell(at(`127.0.0.1:${server.port}`, script))
    const answers = stdout.split(`\n${MARK}\n`).map((answer) => answer.trim())
    for (const [index, { command, shown }] of examples.entries()) {
      if (shown === undefined) continue
      const answer: unknown = JSON.parse(answers[index] ?? '')
      expect(comparable(answer), command).toEqual(comparable(JSON.parse(shown)))
    }
  })

  it('has an example for every endpoint', () => {
    const endpoints = headingsOf(page).filter(({ text }) => /^(GET|POST|PATCH|DELETE) /.test(text))
    expect(endpoints.length).toBeGreaterThan(10)
    for (const { text } of endpoints) {
      const isSocket = text === 'GET /ws' // curl cannot show this one
      expect(fencesIn(sectionOf(page, text), 'sh').length, text).toBe(isSocket ? 0 : 1)
    }
  })

  it('shows every event as its schema has it', () => {
    const shown = fencesIn(sectionOf(page, 'Events'), 'json').map(
      (text) => JSON.parse(text) as { type: string },
    )
    for (const event of shown) expect(Event.parse(event)).toEqual(event)
    const types = Event.options.map(({ shape }) => shape.type.value)
    expect(shown.map(({ type }) => type)).toEqual(types)
  })

  it('lists every close code with its text', () => {
    const rows = sectionOf(page, 'Close codes').matchAll(/^\| (\d{4}) +\| `([^`]+)`/gm)
    const listed = [...rows].map(([, code, text]) => `${code} ${text}`)
    const closes = Object.values(CLOSE).map(({ code, text }) => `${code} ${text}`)
    expect(listed.toSorted()).toEqual(closes.toSorted())
  })
})

describe('docs/operations.md', () => {
  it('has a health check that a running server passes', async () => {
    const server = await startServer()
    onTestFinished(() => server.close())
    const [check = ''] = fencesIn(sectionOf(await readPage('docs/operations.md'), 'Health'), 'sh')
    const { stdout } = await runShell(at(`127.0.0.1:${server.port}`, check))
    expect(stdout).toBe('{"status":"ok"}')
  })
})

interface Example {
  readonly command: string
  /** The answer that the page shows. */
  readonly shown?: string
}

/** Returns each shell block, with the JSON block that follows it. */
function examplesOf(text: string): Example[] {
  const fences = fencesOf(text)
  return fences.flatMap(({ language, text: command }, index): Example[] => {
    const next = fences[index + 1]
    if (language !== 'sh') return []
    return next?.language === 'json' ? [{ command, shown: next.text }] : [{ command }]
  })
}
