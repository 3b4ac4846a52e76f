/** The token of a campaign's notification: whose it is can be read from it. */
export const tokenOf = (campaign: number, index: number): string =>
  "a".repeat(16) + campaign.toString(16).padStart(16, "0") + index.toString(16).padStart(32, "0")
