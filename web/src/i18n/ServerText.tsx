import { useServerWords } from './serverWords';

/** A sentence of the API's, begun with a capital letter unless it begins with a name of WeChat's; screen readers are told its language. */
export function ServerText({ children, className }: { children: string; className?: string }) {
  const { text, lang } = useServerWords().said(children);
  return (
    <span lang={lang} className={className}>
      {/^[a-z]+(?=[ ,;']|$)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text}
    </span>
  );
}
