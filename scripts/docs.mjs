/** Writes channelstream.ini.example and docs/configuration.md: `npm run build && node scripts/docs.mjs`. */
import { writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'

/**
 * The page docs/configuration.md.
 *
 * @param {readonly import('../src/config/schema.ts').Setting[]} settings
 * @param {ReadonlyMap<string, string>} oldSettings
 */
export function renderPage(settings, oldSettings) {
  const sections = [...new Set(settings.map(({ section }) => section))]
  const tables = sections.map((section) =>
    renderSection(
      section,
      settings.filter((setting) => setting.section === section),
    ),
  )
  const old = [...oldSettings].map(([name, reason]) => `- \`${name}\`: ${reason}.`).join('\n')
  return [INTRODUCTION, ...tables, `${OLD_SETTINGS}\n\n${old}\n`].join('\n\n')
}

function renderSection(section, settings) {
  const rows = settings.map((setting) => {
    const names = `\`${setting.variable}\`<br>\`${setting.flag}\``
    const cells = [`\`${setting.name}\``, showDefault(setting.default), setting.expected]
    return `| ${[...cells, setting.description, names].map(escapeCell).join(' | ')} |`
  })
  return [
    `## ${section}`,
    '',
    '<!-- prettier-ignore -->',
    '| Setting | Default | Value | Meaning | Variable and flag |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n')
}

function showDefault(value) {
  const text = Array.isArray(value) ? value.join(', ') : String(value)
  return text === '' ? 'empty' : `\`${text}\``
}

const escapeCell = (text) => text.replaceAll('|', '\\|').replace(/(?<!`[^`]*)\*/g, '\\*')

const INTRODUCTION = `\
# Configuration

<!-- Made by scripts/docs.mjs from src/config/settings.ts and limits.ts. Change it there. -->

The server starts without any configuration, on 127.0.0.1 and with secrets that everybody knows. For more
than a trial, make a file with fresh secrets and start with it:

\`\`\`
channelstream make-config -o channelstream.ini
channelstream -i channelstream.ini
\`\`\`

## Where a value comes from

Later ones win:

1. the default,
2. the ini file: \`-i FILE\`, \`--ini FILE\`, or the environment variable \`CHANNELSTREAM_INI\`,
3. the environment: \`CHANNELSTREAM_PORT=9000\`,
4. flags: \`--port 9000\` or \`--port=9000\`, with dashes or underscores in longer names. True or false
   needs no value: \`--debug\` is \`--debug=true\`.

An empty value says nothing: what comes earlier in this list holds.

Unknown names and values that cannot be read stop the start. Everything that is wrong is told at once,
with file and line, variable or flag, and values of secrets are never shown. Variables that Kubernetes makes
for a service called \`channelstream\`, such as \`CHANNELSTREAM_PORT=tcp://10.0.0.7:8000\`, are passed over.

As long as \`secret\` or \`admin_secret\` has its default, the server listens on 127.0.0.1, and refuses to
start if \`host\` asks for an address that others can reach.

## The ini file

The file is read as Python's configparser reads it, so files of Channelstream 0.7 can stay.

\`\`\`ini
[channelstream]
secret = <made by make-config>
admin_secret = <100%% your own>
port = 8000
# an indented line continues the value above it
allow_posting_from = 127.0.0.1,
                     # the workers
                     10.0.0.0/8,
\`\`\`

- Settings stand in \`[channelstream]\`, or in \`[DEFAULT]\`; other sections are passed over.
- \`key = value\` or \`key: value\`; the letter case of keys does not matter.
- Lines that start with \`#\` or \`;\` are comments. Behind a value they are part of it.
- \`%(port)s\` stands for the value of \`port\`, \`%%\` for a percent sign. A lone \`%\` stays.
- Quotes around a value are part of it: \`secret = "abc"\` is a secret of five characters. At its start the server notes
  values with quotes or white space around them, with \` #\` or \` ;\` in them, or with characters that cannot be seen,
  wherever they come from. It names the setting and its place, and not the value.
- The file is in UTF-8. A key that stands there twice is a fault.

The same, as variables and as flags:

\`\`\`
CHANNELSTREAM_PORT=8000 CHANNELSTREAM_ALLOW_POSTING_FROM=127.0.0.1,10.0.0.0/8 channelstream
channelstream --port 8000 --allow-posting-from 127.0.0.1,10.0.0.0/8
\`\`\`

Flags can be read by every user of the machine, so secrets are better kept in the file or the environment.`

const OLD_SETTINGS = `\
## Settings of the Python server that are passed over

They may stay in the file; the server says at its start that it does without them.`

async function main() {
  const { SETTINGS, OLD_SETTINGS } = await import('../dist/config/schema.js')
  const { renderIni } = await import('../dist/cli/make-config.js')
  await writeFile('channelstream.ini.example', renderIni())
  await writeFile('docs/configuration.md', renderPage(SETTINGS, OLD_SETTINGS))
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
