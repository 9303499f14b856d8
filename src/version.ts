import { PACKAGE_FILES } from './lib/package-files.ts'

/** The version in `package.json`. */
export const VERSION: string = (
  JSON.parse(PACKAGE_FILES.readSync('package.json').toString()) as { version: string }
).version
