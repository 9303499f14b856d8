/** The bench compiles its load generator. Rejects with the packages to install if no compiler can be installed. */
export async function ensureCompiler(): Promise<void> {
  const script = new URL('../../scripts/test-dependencies.mjs', import.meta.url).href
  const { ensureDebianPackages } = (await import(script)) as {
    ensureDebianPackages: (names: readonly string[]) => Promise<void>
  }
  await ensureDebianPackages(['gcc', 'libc6-dev'])
}
