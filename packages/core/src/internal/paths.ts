import { pemBlocks } from "./pem.js"
import { unquoted } from "./quotes.js"

/**
 * Whether text that was given as the path of a file may be a secret: the content of a file in the wrong place. Then it is
 * not repeated in a message or a cause. Some paths look like secrets too, so this is used only after reading failed.
 */
export const mayBeSecret = (given: string): boolean => {
  const path = unquoted(given)
  return path.length > 255 ||
    /[\r\n\0]/.test(path) ||
    /-----|BEGIN|PRIVATE ?KEY|["{}]/.test(path) ||
    pemBlocks(path).length > 0 ||
    // base64 that does not begin as a path does
    (path.length >= 60 && /^(?![./~]|[A-Za-z]:[\\/])[\w+/=\s"'\\-]+$/.test(path)) ||
    // longer than the name of a file or folder usually is, without a dot
    path.split(/[\\/]/).some((name) => /[A-Za-z0-9+_=-]{50,}/.test(name))
}

/** Whether text that is given as the content of a file is the path of one: a line that names a file, or begins as a path does. */
export const looksLikePath = (content: string): boolean =>
  /^(?:[^\r\n]{1,255}\.(?:p8|pem|key|crt|cer|der|p12|pfx|txt)|(?:[.~]{0,2}[\\/]|[a-z]:[\\/]|file:|@)[^\r\n]{1,255})$/i
    .test(
      content.trim().replace(/^(["'])(.*)\1$/, "$2")
    )

/**
 * Why a file cannot be read, in plain words, from the code of the operating system or what the platform makes of it; what to
 * do about it. `undefined` for what is rare.
 */
export const unreadable = (code: string, reason: string): string | undefined => {
  if (code === "EISDIR") {
    return "it is a folder: give the path of a file in it (Docker makes a folder where the file to mount does not exist)"
  }
  if (code === "ENOTDIR") return "what stands before the last / is a file and no folder: correct the path"
  if (code === "ENAMETOOLONG") return "its path is too long: correct it"
  if (code === "ELOOP") return "its symbolic links lead in a circle: repair them"
  if (code === "EMFILE" || code === "ENFILE") return "too many files are open: raise the limit (ulimit -n)"
  if (code === "EACCES" || code === "EPERM" || reason === "PermissionDenied") {
    return "this user may not read it: change its owner or its mode (chmod), or the user that the program runs as"
  }
  if (code === "EIO") return "the disk reports an error"
  return undefined
}
