import { spawn, spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WEBHOOK_EVENT_TYPES, WebhookEvent, WebhookRequest } from '../../src/protocol/webhooks.ts'
import { INSTALL_TIMEOUT_MS, ensurePackages } from '../helpers/debian-packages.ts'
import { Backend, until } from '../helpers/http.ts'
import { freePort } from '../helpers/ports.ts'
import { startServer } from '../helpers/server.ts'
import { ROOT, fencesIn, readPage, sectionOf } from './markdown.ts'

const page = await readPage('docs/webhooks.md')
const checks = sectionOf(page, 'Check the signature')

interface Language {
  readonly name: string
  readonly fence: string
  readonly file: string
  /** Runs the file. */
  readonly command: readonly [string, ...string[]]
  /** Debian's package with the program, if the tests may install it: Go's is large. */
  readonly debian?: string
  /** Reads a line of JSON from standard input for each case, and prints true or false. */
  readonly program: (check: string) => string
}

const LANGUAGES: readonly Language[] = [
  {
    name: 'Python',
    fence: 'python',
    file: 'check.py',
    command: ['python3'],
    debian: 'python3',
    program: (check) => `${check}
import json, sys
for line in sys.stdin:
    case = json.loads(line)
    print(str(is_genuine(case["secret"], case["path"], case["timestamp"], case["signatures"], case["body"].encode())).lower())
`,
  },
  {
    name: 'PHP',
    fence: 'php',
    file: 'check.php',
    command: ['php'],
    debian: 'php-cli',
    program: (check) => `<?php
${check}
while ($line = fgets(STDIN)) {
    $case = json_decode($line, true);
    echo is_genuine($case['secret'], $case['path'], $case['timestamp'], $case['signatures'], $case['body']) ? "true\\n" : "false\\n";
}
`,
  },
  {
    name: 'Ruby',
    fence: 'ruby',
    file: 'check.rb',
    command: ['ruby'],
    debian: 'ruby',
    program: (check) => `${check}
require "json"
STDIN.each_line do |line|
  it = JSON.parse(line)
  puts genuine?(it["secret"], it["path"], it["timestamp"], it["signatures"], it["body"]).inspect
end
`,
  },
  {
    name: 'Go',
    fence: 'go',
    file: 'check.go',
    command: ['go', 'run'],
    program: (check) => `package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

${check}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var it struct{ Secret, Path, Timestamp, Signatures, Body string }
		if err := json.Unmarshal(lines.Bytes(), &it); err != nil {
			panic(err)
		}
		fmt.Println(isGenuine(it.Secret, it.Path, it.Timestamp, it.Signatures, []byte(it.Body)))
	}
}
`,
  },
  {
    name: 'JavaScript',
    fence: 'js',
    file: 'check.mjs',
    command: [process.execPath],
    program: (check) => `${check}
import { createInterface } from 'node:readline'
for await (const line of createInterface({ input: process.stdin })) {
  const { secret, path, timestamp, signatures, body } = JSON.parse(line)
  console.log(isGenuine(secret, path, timestamp, signatures, Buffer.from(body)))
}
`,
  },
]

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'channelstream-docs-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** Tries to install what is not there. Returns why that did not help, if it did not. */
async function whatIsMissing(program: string, debian?: string): Promise<string | undefined> {
  if (isThere(program)) return undefined
  if (debian === undefined) return `${program} is not installed`
  return ensurePackages(debian).then(
    () => undefined,
    (error: Error) => `${program} is not installed: ${error.message}`,
  )
}

const isThere = (program: string): boolean =>
  spawnSync('sh', ['-c', `command -v "$0"`, program]).status === 0

/** Cases, and whether each is genuine. */
function cases() {
  const now = Math.floor(Date.now() / 1000)
  const genuine = {
    secret: 'höchst geheim',
    path: '/hook',
    at: now,
    body: '{"events":["é \u{1f600}"]}',
  }
  const signed = ({ secret, path, at, body }: typeof genuine) => ({
    secret,
    path,
    timestamp: String(at),
    signatures: createHmac('sha256', secret).update(`${at}.${path}.${body}`).digest('hex'),
    body,
  })
  const good = signed(genuine)
  const other = signed({ ...genuine, secret: 'other' }).signatures
  return [
    [good, true],
    [{ ...good, signatures: `${other},${good.signatures}` }, true],
    [{ ...good, signatures: other }, false],
    [{ ...good, signatures: '' }, false],
    [{ ...good, signatures: `é${good.signatures}` }, false],
    [{ ...good, body: `${good.body} ` }, false],
    [{ ...good, path: '/other' }, false],
    [{ ...good, timestamp: String(now + 1) }, false],
    [{ ...good, timestamp: '' }, false],
    [{ ...good, timestamp: 'now' }, false],
    [signed({ ...genuine, at: now - 400 }), false],
    [signed({ ...genuine, at: now + 400 }), false],
    [signed({ ...genuine, at: now - 200 }), true],
  ] as const
}

describe('docs/webhooks.md', () => {
  for (const { name, fence, file, command, program, debian } of LANGUAGES) {
    const [interpreter, ...args] = command
    it(
      `has a check in ${name} that accepts what is genuine, and nothing else`,
      { timeout: INSTALL_TIMEOUT_MS },
      async (context) => {
        const missing = await whatIsMissing(interpreter, debian)
        if (missing !== undefined) return context.skip(missing)
        const [check = ''] = fencesIn(checks, fence)
        const path = join(await folder(), file)
        await writeFile(path, program(check))
        const input = cases().map(([given]) => `${JSON.stringify(given)}\n`)
        const { stdout, stderr } = spawnSync(interpreter, [...args, path], {
          input: input.join(''),
          encoding: 'utf8',
        })
        expect(stderr).toBe('')
        expect(stdout.trim().split('\n')).toEqual(cases().map(([, expected]) => String(expected)))
      },
    )
  }

  it('has a server for Node that works as it stands', async () => {
    const made = await folder()
    await mkdir(join(made, 'node_modules'))
    await symlink(fileURLToPath(ROOT), join(made, 'node_modules', 'channelstream'))
    const port = await freePort()
    const [, example = ''] = fencesIn(checks, 'js')
    await writeFile(join(made, 'server.mjs'), example.replace('9000', String(port)))
    const child = spawn(process.execPath, [join(made, 'server.mjs')])
    onTestFinished(() => void child.kill())
    let output = ''
    child.stdout.on('data', (part: Buffer) => (output += part.toString()))
    const server = await startServer({
      webhook_url: `http://127.0.0.1:${port}/channelstream`,
      webhook_secret: 'a long random text',
    })
    onTestFinished(() => server.close())
    await new Backend(server).connect('ann', ['lobby'])
    for (const line of ['joined channel:lobby', 'user_online user:ann'])
      await until(() => output.includes(line), `${line} in: ${output}`)
  })

  it('shows a request that is one', () => {
    const [example = ''] = fencesIn(sectionOf(page, 'A request'), 'json')
    const parsed: unknown = JSON.parse(example)
    expect(WebhookRequest.parse(parsed)).toEqual(parsed)
  })

  it('lists every event with its fields', () => {
    const rows = [...sectionOf(page, 'Events').matchAll(/^\| `(\w+)`\s*\| ([^|]*)\|/gm)]
    const listed = rows.map(([, type = '', fields = '']) => [
      type,
      ...[...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field),
    ])
    const common = ['type', 'id', 'time', 'subject', 'seq']
    const described = WebhookEvent.options.map(({ shape }) => [
      shape.type.value,
      ...Object.keys(shape).filter((field) => !common.includes(field)),
    ])
    expect(listed).toEqual(described)
    expect(described.map(([type]) => type)).toEqual([...WEBHOOK_EVENT_TYPES, 'resync'])
  })
})
