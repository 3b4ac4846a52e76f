/**
 * @since 0.1.0
 */

/**
 * A value made when it is first asked for: Schemas and their parsers take their time to build, and an import should not.
 *
 * @internal
 */
export const lazy = <A>(make: () => A): () => A => {
  let made: { readonly value: A } | undefined
  return () => (made ??= { value: make() }).value
}
