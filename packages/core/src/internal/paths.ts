/**
 * Whether text that is given as the path of a file may be a secret: the content of a file in the wrong place. It is not
 * repeated then, neither in a message nor in a cause. Paths that look like one exist; this is asked after reading failed.
 */
export const mayBeSecret = (path: string): boolean =>
  path.length > 255 ||
  /[\r\n\0]/.test(path) ||
  /-----|BEGIN|PRIVATE ?KEY/.test(path) ||
  // base64 that does not begin as a path does
  (path.length >= 60 && /^(?![./~]|[A-Za-z]:[\\/])[\w+/=\s"'\\-]+$/.test(path)) ||
  // longer than the name of a file or folder usually is, without a dot
  path.split(/[\\/]/).some((name) => /[A-Za-z0-9+_=-]{50,}/.test(name))
