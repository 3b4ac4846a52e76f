import { statSync } from "node:fs"

const words: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file or folder"],
  ["ENOTDIR", "what stands before the last / is a file and no folder"],
  ["EACCES", "this user may not (see ls -l)"],
  ["EPERM", "this user may not (see ls -l)"],
  ["EISDIR", "it is a folder"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the quota of this user is used up"],
  ["EROFS", "the file system can only be read"],
  ["ENAMETOOLONG", "its name is too long"],
  ["ELOOP", "its symbolic links lead in a circle"],
  ["EMFILE", "too many files are open (ulimit -n)"],
  ["EIO", "the disk reports an error"]
])

/** Why something could not be done with a file, in plain words where the operating system's code is a common one. */
export const fileReason = (error: { readonly message: string }): string =>
  words.get(/\b(E[A-Z]{2,}[A-Z0-9]*)\b/.exec(error.message)?.[1] ?? "") ?? error.message

/** What is there; a reason why that cannot be found out; nothing, where nothing is there, or where it is no path at all. */
const statOf = (path: string): ReturnType<typeof statSync> | string => {
  try {
    return statSync(path)
  } catch (error) {
    const { message } = error instanceof Error ? error : { message: String(error) }
    // what is no path may be the content of a file, which is not repeated
    return /ENOENT/.test(message) || path.length > 255 || /[\r\n]/.test(path)
      ? undefined
      : `'${path}' cannot be reached (${fileReason({ message })})`
  }
}

/**
 * What is wrong with a file to be read, as far as that is not found out by reading it; a pipe, such as the shell's <(...), is as
 * good as a file.
 */
export const inputProblem = (path: string): string | undefined => {
  const stat = statOf(path)
  return typeof stat === "string"
    ? stat
    : stat === undefined || stat.isFile() || stat.isFIFO()
    ? undefined
    : stat.isDirectory()
    ? `${path} is a folder: give a file`
    : `${path} is no file`
}

/** What is wrong with a file that is written, and need not be there. */
export const outputProblem = (path: string): string | undefined => {
  if (path === "-") {
    return "- is not taken for standard output: give a file, which is read when the same command is run again"
  }
  const stat = statOf(path)
  return typeof stat === "string"
    ? stat
    : stat === undefined || stat.isFile()
    ? undefined
    : stat.isDirectory()
    ? `${path} is a folder: give a file`
    : `${path} is no file: give one, it is read when the same command is run again`
}

/** What is wrong with a folder that need not be there. */
export const folderProblem = (path: string): string | undefined => {
  const stat = statOf(path)
  return typeof stat === "string"
    ? stat
    : stat === undefined || stat.isDirectory()
    ? undefined
    : `${path} is a file: give a folder`
}
