import { describe, expect, it } from 'vitest'
import { CommandError, helpText, readCommand } from '../../src/cli/arguments.ts'
import { SETTINGS } from '../../src/config/schema.ts'

describe('readCommand', () => {
  const read = (program: string, line: string) =>
    readCommand(program, line.split(' ').filter(Boolean))

  it.each(['', '-i a.ini', '--debug --port 80', '--secret make-config'])(
    'serves for %j',
    (line) => {
      const argv = line.split(' ').filter(Boolean)
      expect(read('/usr/bin/channelstream', line)).toEqual({ command: 'serve', argv })
      expect(read('/usr/bin/channelstream', `serve ${line}`)).toEqual({ command: 'serve', argv })
    },
  )

  it.each([
    ['channelstream', 'make-config -o a.ini'],
    ['dist/main.js', 'make_config --output=a.ini'],
    ['/venv/bin/channelstream_utils', 'make_config -o a.ini'],
    ['channelstream_utils.js', '-o a.ini make_config'],
  ])('makes a configuration for %s %s', (program, line) => {
    expect(read(program, line)).toEqual({ command: 'make-config', output: 'a.ini' })
  })

  it('hands the JSON on, and takes - as output', () => {
    expect(read('channelstream_utils', 'make_config -o - -j {"port":1}')).toEqual({
      command: 'make-config',
      output: '-',
      json: '{"port":1}',
    })
  })

  it.each([
    ['jane', '-s x --help -v'],
    ['philote-admin', 'create-key --help'],
  ])('leaves what follows %s to it', (command, rest) => {
    expect(read('channelstream', `${command} ${rest}`)).toEqual({ command, argv: rest.split(' ') })
  })

  it.each(['--help', '-h', '-i a.ini --help'])('helps for %s', (line) => {
    expect(read('channelstream', line)).toEqual({ command: 'help' })
  })

  it.each(['--version', '-v'])('tells the version for %s', (line) => {
    expect(read('channelstream', line)).toEqual({ command: 'version' })
  })

  it.each([
    [
      'channelstream',
      'mkae-config -o a.ini',
      'Unknown command "mkae-config". Did you mean make-config? Try --help.',
    ],
    ['channelstream', 'orchestrate', 'Unknown command "orchestrate". Try --help.'],
    ['channelstream', 'make-config', 'make-config: missing -o FILE'],
    ['channelstream', 'make-config -o a.ini --force', '--force'],
    ['channelstream', 'make-config -o', 'make-config: '],
    ['channelstream_utils', '', 'Usage: channelstream_utils make_config -o FILE'],
    ['channelstream', 'philote-adnim', 'Did you mean philote-admin?'],
    ['channelstream_utils', 'jane', 'Usage: channelstream_utils make_config -o FILE'],
    ['channelstream_utils', 'serve', 'Usage: channelstream_utils make_config -o FILE'],
  ])('has a fault for %s %s', (program, line, expected) => {
    expect(() => read(program, line)).toThrow(CommandError)
    expect(() => read(program, line)).toThrow(expected)
  })
})

describe('helpText', () => {
  it('describes commands and the file', () => {
    expect(helpText()).toContain('channelstream make-config -o FILE')
    expect(helpText()).toContain('-i, --ini FILE')
  })

  it('names no flag that is not read', () => {
    const flags = new Set(helpText().match(/(?<![\w-])--?[a-z][\w-]*/g))
    const known = SETTINGS.flatMap(({ flag, isSecret }) =>
      isSecret ? [flag, `${flag}-file`] : [flag],
    )
    const others = ['--help', '-h', '--version', '-v', '-i', '--ini', '-o', '-j']
    expect(flags).toEqual(new Set([...known, ...others]))
  })
})
