/**
 * @since 0.1.0
 */

/**
 * The same properties without those that are `undefined`: left out and `undefined` mean the same here, and results only
 * have the former.
 *
 * @internal
 */
export const defined = <A extends object>(input: A): A => {
  for (const key of Object.keys(input)) {
    if (input[key as keyof A] === undefined) {
      const { [key as keyof A]: _, ...rest } = input
      return defined(rest as A)
    }
  }
  return input
}
