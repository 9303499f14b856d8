import { afterAll, expect, it } from 'vitest'
import { TokenChecker } from '../../src/philote/token.ts'
import { MAIN, ServerProcess, killProcesses } from '../helpers/process.ts'
import { fencesIn, readPage, sectionOf } from './markdown.ts'
import { run, runShell } from './running.ts'

afterAll(killProcesses)

it('docs/philote.md shows a first message that works as written', async () => {
  const page = await readPage('docs/philote.md')
  const [example = ''] = fencesIn(sectionOf(page, 'By itself'), 'js')
  const [command = ''] = fencesIn(sectionOf(page, 'By itself'), '')
  const [, secret = ''] = /SECRET=(\S+) node dist\/main.js philote/.exec(command) ?? []
  const server = await ServerProcess.startPhilote({ env: { SECRET: secret } })
  const script = example.replace('127.0.0.1:6380', `127.0.0.1:${server.port}`)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout).toBe('hello\n')
  expect(page).toContain('It prints `hello`.')
})

it('docs/philote.md shows a chat in the terminal, and a token, that work as written', async () => {
  const page = await readPage('docs/philote.md')
  const [joining = '', saying = ''] = fencesIn(sectionOf(page, 'jane'), 'sh')
  const [shown = ''] = fencesIn(sectionOf(page, 'jane'), '')
  const [making = ''] = fencesIn(sectionOf(page, 'philote-admin'), 'sh')
  const server = await ServerProcess.startPhilote({ env: { SECRET: 'change-me' } })
  const here = (command: string): string =>
    command
      .trim()
      .replace('node dist/main.js', `'${process.execPath}' '${MAIN}'`)
      .replace(' jane', ` jane -p 127.0.0.1:${server.port}`)
  const reader = await ServerProcess.startCommand(/connected to /, {
    command: ['sh', '-c', `exec ${here(joining)}`],
    hasInput: true,
  })
  await runShell(here(saying))
  await reader.says(/: hello\n/)
  const anyId = (text: string): string => text.replace(/^[\da-f]{8}:/, 'id:')
  expect(anyId(reader.stdout)).toBe(anyId(shown))
  reader.endInput()
  expect(await reader.ended()).toMatchObject({ code: 0 })

  const { stdout: token } = await runShell(here(making))
  const claims = new TokenChecker('change-me', () => Date.now()).check(token.trim())
  expect(await claims).toMatchObject({ read: ['lobby'], write: new Set(['lobby']), api: false })
})

it('docs/philote.md tells every flag of the tools, and its default', async () => {
  const page = await readPage('docs/philote.md')
  for (const tool of ['jane', 'philote-admin']) {
    const help = await ServerProcess.run({ args: [tool, '--help'] })
    const section = sectionOf(page, tool)
    const flags = [...help.output.matchAll(/^ {2}(-\S+)/gm)].map(([, flag = '']) => flag)
    expect(flags.length).toBeGreaterThan(7)
    for (const flag of flags) expect(section, flag).toMatch(new RegExp(`\`${flag}[ \`]`))
    for (const [, fallback = ''] of help.output.matchAll(/\(default (.*)\)$/gm))
      expect(`${section}${sectionOf(page, 'jane')}`).toContain(`\`${fallback}\``)
  }
})
