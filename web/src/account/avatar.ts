/** WeChat still hands out http:// addresses of pictures; its servers answer https as well, and nothing else may be loaded here. */
export function avatarUrl(headImg: string): string | undefined {
  const url = headImg.replace(/^http:\/\//, 'https://');
  return url.startsWith('https://') ? url : undefined;
}
