import { useTranslation } from 'react-i18next';
import type { Problem } from '../client';
import { translate } from './translate';
import chinese from './zh-server.json';

const problems: Partial<Record<string, { title: string; help: string }>> = chinese.problems;

interface ServerWords {
  /** A sentence of the API's in the reader's language; English where we have no translation of it. */
  said: (english: string) => { text: string; lang: 'zh-CN' | 'en' };
  title: (problem: Problem) => string;
  /** What a problem of this kind means, for readers who may not read its English detail; undefined where that is enough. */
  help: (problem: Problem) => string | undefined;
}

/** The API speaks English. For readers of Chinese, this finds our translation of its problems and of its sentences. */
export function useServerWords(): ServerWords {
  const { i18n } = useTranslation();
  if (i18n.language !== 'zh-CN') {
    return { said: (text) => ({ text, lang: 'en' }), title: (problem) => problem.title || problem.code, help: () => undefined };
  }
  return {
    said: (english) => {
      const translated = translate(english);
      return translated === undefined ? { text: english, lang: 'en' } : { text: translated, lang: 'zh-CN' };
    },
    title: (problem) => problems[problem.code]?.title ?? (problem.title || problem.code),
    help: (problem) => problems[problem.code]?.help,
  };
}
