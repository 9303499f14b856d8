const NAME = Symbol.for('fastify.display-name')

/**
 * Gives a plugin an explicit name. Otherwise Fastify searches all modules that the process has loaded, several times,
 * which takes a third of the server's start time.
 */
export const named = <Plugin extends { readonly name: string }>(plugin: Plugin): Plugin =>
  Object.assign(plugin, { [NAME]: plugin.name })
