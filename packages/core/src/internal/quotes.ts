/** Without the quotes that `docker run --env-file` and others leave around a value. */
export const unquoted = (text: string): string => /^(["'])(.*)\1$/.exec(text)?.[2]?.trim() ?? text
