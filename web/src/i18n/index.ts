import i18n from 'i18next';
import LanguageDetector from 'i18next-browser-languagedetector';
import { initReactI18next } from 'react-i18next';
import en from './en.json';
import zhCN from './zh-CN.json';

export const languages = ['zh-CN', 'en'] as const;
export type Language = (typeof languages)[number];

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'console';
    resources: { console: typeof en };
  }
}

/** Every language has texts in one of the two: all kinds of Chinese read zh-CN, everybody else en. */
export function toLanguage(code: string | undefined): Language {
  return code?.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en';
}

export async function setUpI18n() {
  await i18n
    .use(LanguageDetector)
    .use(initReactI18next)
    .init({
      resources: {
        en: { console: en },
        'zh-CN': { console: zhCN },
      },
      ns: ['console'],
      defaultNS: 'console',
      supportedLngs: languages,
      fallbackLng: 'en',
      interpolation: { escapeValue: false },
      detection: {
        order: ['localStorage', 'navigator'],
        caches: ['localStorage'],
        lookupLocalStorage: 'steward.language',
        convertDetectedLanguage: toLanguage,
      },
    });
  const showLanguage = (code: string) => {
    document.documentElement.lang = code;
  };
  i18n.on('languageChanged', showLanguage);
  showLanguage(i18n.language);
}

export default i18n;
