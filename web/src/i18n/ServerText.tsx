import { useServerWords } from './serverWords';

/** A sentence of the API's, begun with a capital letter; screen readers are told its language. */
export function ServerText({ children, className }: { children: string; className?: string }) {
  const { text, lang } = useServerWords().said(children);
  return (
    <span lang={lang} className={className}>
      {text.charAt(0).toUpperCase() + text.slice(1)}
    </span>
  );
}
