/** The package brings no types of its own. */
declare module "proxy-from-env" {
  /** The proxy for `url` by the environment variables, or an empty string. */
  export function getProxyForUrl(url: string): string
}
