import { accessSync, constants } from "node:fs"
import { delimiter, join } from "node:path"

type Environment = Readonly<Record<string, string | undefined>>

const isOnPath = ({ PATH = "" }: Environment): boolean =>
  PATH.split(delimiter).some((folder) => {
    // what npx and npm run put in front is gone in the next terminal
    if (folder === "" || /[\\/]node_modules[\\/]\.bin$|[\\/]_npx[\\/]|node-gyp-bin$/.test(folder)) return false
    try {
      accessSync(join(folder, "apns"), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/**
 * How the command is typed in another terminal: `apns` where it is installed for everybody, else by npx, which finds it in the
 * project or fetches it.
 */
export const invocation = (environment: Environment, script: string | undefined): string =>
  isOnPath(environment) || script === undefined || !/[\\/]node_modules[\\/]/.test(script)
    ? "apns"
    : /[\\/]_npx[\\/]/.test(script)
    ? "npx @effect-apns/cli"
    : "npx apns"
