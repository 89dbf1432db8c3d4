#include "mail/place.h"

#include "mail/name.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/*
 * What servers and clients call these mailboxes where no attribute says so,
 * case-folded and composed. Where one of several mailboxes has to be chosen, it
 * is the one named first here. Names that are also common words for something
 * else ("concept", "outbox") are left out: a wrong guess mixes mail, a missing
 * one only leaves a mailbox under its own name.
 */
static const struct {
	uint32_t role;
	const char *name;
} names[] = {
	/* English; Outlook, Exchange; Apple Mail; Netscape, Yahoo */
	{ MAILBOX_SENT, "sent" },
	{ MAILBOX_SENT, "sent items" },
	{ MAILBOX_SENT, "sent messages" },
	{ MAILBOX_SENT, "sent mail" },
	{ MAILBOX_SENT, "sent-mail" },
	{ MAILBOX_SENT, "sentmail" },
	{ MAILBOX_SENT, "sentbox" },
	{ MAILBOX_DRAFTS, "drafts" },
	{ MAILBOX_DRAFTS, "draft" },
	{ MAILBOX_JUNK, "junk" },
	{ MAILBOX_JUNK, "spam" },
	{ MAILBOX_JUNK, "junk e-mail" },
	{ MAILBOX_JUNK, "junk email" },
	{ MAILBOX_JUNK, "junk mail" },
	{ MAILBOX_JUNK, "bulk mail" },
	{ MAILBOX_JUNK, "bulk" },
	{ MAILBOX_TRASH, "trash" },
	{ MAILBOX_TRASH, "deleted items" },
	{ MAILBOX_TRASH, "deleted messages" },
	{ MAILBOX_TRASH, "deleted" },
	{ MAILBOX_TRASH, "bin" },
	{ MAILBOX_ARCHIVE, "archive" },
	{ MAILBOX_ARCHIVE, "archives" },
	/* German */
	{ MAILBOX_SENT, "gesendet" },
	{ MAILBOX_SENT, "gesendete elemente" },
	{ MAILBOX_SENT, "gesendete objekte" },
	{ MAILBOX_SENT, "gesendete nachrichten" },
	{ MAILBOX_SENT, "gesendete e-mails" },
	{ MAILBOX_DRAFTS, "entwürfe" },
	{ MAILBOX_DRAFTS, "entwurf" },
	{ MAILBOX_JUNK, "junk-e-mail" },
	{ MAILBOX_JUNK, "spamverdacht" },
	{ MAILBOX_JUNK, "unerwünscht" },
	{ MAILBOX_JUNK, "unerwünschte werbung" },
	{ MAILBOX_TRASH, "papierkorb" },
	{ MAILBOX_TRASH, "gelöschte elemente" },
	{ MAILBOX_TRASH, "gelöschte objekte" },
	{ MAILBOX_TRASH, "gelöschte nachrichten" },
	{ MAILBOX_TRASH, "gelöscht" },
	{ MAILBOX_ARCHIVE, "archiv" },
	/* French */
	{ MAILBOX_SENT, "envoyés" },
	{ MAILBOX_SENT, "éléments envoyés" },
	{ MAILBOX_SENT, "messages envoyés" },
	{ MAILBOX_SENT, "envoyé" },
	{ MAILBOX_SENT, "courrier envoyé" },
	{ MAILBOX_DRAFTS, "brouillons" },
	{ MAILBOX_DRAFTS, "brouillon" },
	{ MAILBOX_JUNK, "indésirables" },
	{ MAILBOX_JUNK, "courrier indésirable" },
	{ MAILBOX_JUNK, "indésirable" },
	{ MAILBOX_JUNK, "pourriel" },
	{ MAILBOX_TRASH, "corbeille" },
	{ MAILBOX_TRASH, "éléments supprimés" },
	{ MAILBOX_TRASH, "messages supprimés" },
	{ MAILBOX_ARCHIVE, "archivés" },
	/* Spanish */
	{ MAILBOX_SENT, "enviados" },
	{ MAILBOX_SENT, "elementos enviados" },
	{ MAILBOX_SENT, "mensajes enviados" },
	{ MAILBOX_SENT, "correo enviado" },
	{ MAILBOX_SENT, "enviado" },
	{ MAILBOX_DRAFTS, "borradores" },
	{ MAILBOX_DRAFTS, "borrador" },
	{ MAILBOX_JUNK, "correo no deseado" },
	{ MAILBOX_JUNK, "correo basura" },
	{ MAILBOX_JUNK, "no deseado" },
	{ MAILBOX_TRASH, "papelera" },
	{ MAILBOX_TRASH, "elementos eliminados" },
	{ MAILBOX_TRASH, "mensajes eliminados" },
	{ MAILBOX_TRASH, "eliminados" },
	{ MAILBOX_ARCHIVE, "archivo" },
	{ MAILBOX_ARCHIVE, "archivados" },
	/* Italian */
	{ MAILBOX_SENT, "posta inviata" },
	{ MAILBOX_SENT, "inviata" },
	{ MAILBOX_SENT, "inviati" },
	{ MAILBOX_SENT, "elementi inviati" },
	{ MAILBOX_SENT, "messaggi inviati" },
	{ MAILBOX_DRAFTS, "bozze" },
	{ MAILBOX_DRAFTS, "bozza" },
	{ MAILBOX_JUNK, "posta indesiderata" },
	{ MAILBOX_JUNK, "indesiderata" },
	{ MAILBOX_TRASH, "cestino" },
	{ MAILBOX_TRASH, "posta eliminata" },
	{ MAILBOX_TRASH, "elementi eliminati" },
	{ MAILBOX_TRASH, "messaggi eliminati" },
	{ MAILBOX_ARCHIVE, "archivio" },
	/* Portuguese, of Portugal and of Brazil */
	{ MAILBOX_SENT, "enviadas" },
	{ MAILBOX_SENT, "itens enviados" },
	{ MAILBOX_SENT, "mensagens enviadas" },
	{ MAILBOX_SENT, "e-mails enviados" },
	{ MAILBOX_SENT, "correio enviado" },
	{ MAILBOX_DRAFTS, "rascunhos" },
	{ MAILBOX_DRAFTS, "rascunho" },
	{ MAILBOX_JUNK, "lixo eletrônico" },
	{ MAILBOX_JUNK, "lixo eletrónico" },
	{ MAILBOX_JUNK, "lixo electrónico" },
	{ MAILBOX_JUNK, "e-mail de lixo" },
	{ MAILBOX_TRASH, "lixeira" },
	{ MAILBOX_TRASH, "lixo" },
	{ MAILBOX_TRASH, "itens excluídos" },
	{ MAILBOX_TRASH, "itens eliminados" },
	{ MAILBOX_TRASH, "mensagens excluídas" },
	{ MAILBOX_ARCHIVE, "arquivo" },
	{ MAILBOX_ARCHIVE, "arquivo morto" },
	{ MAILBOX_ARCHIVE, "arquivos" },
	/* Dutch */
	{ MAILBOX_SENT, "verzonden" },
	{ MAILBOX_SENT, "verzonden items" },
	{ MAILBOX_SENT, "verzonden berichten" },
	{ MAILBOX_SENT, "verstuurd" },
	{ MAILBOX_DRAFTS, "concepten" },
	{ MAILBOX_JUNK, "ongewenste e-mail" },
	{ MAILBOX_JUNK, "ongewenst" },
	{ MAILBOX_TRASH, "prullenbak" },
	{ MAILBOX_TRASH, "prullenmand" },
	{ MAILBOX_TRASH, "verwijderde items" },
	{ MAILBOX_TRASH, "verwijderde berichten" },
	{ MAILBOX_ARCHIVE, "archief" },
	/* Polish */
	{ MAILBOX_SENT, "wysłane" },
	{ MAILBOX_SENT, "elementy wysłane" },
	{ MAILBOX_SENT, "wysłane elementy" },
	{ MAILBOX_SENT, "wiadomości wysłane" },
	{ MAILBOX_DRAFTS, "kopie robocze" },
	{ MAILBOX_DRAFTS, "wersje robocze" },
	{ MAILBOX_DRAFTS, "robocze" },
	{ MAILBOX_DRAFTS, "szkice" },
	{ MAILBOX_JUNK, "wiadomości-śmieci" },
	{ MAILBOX_JUNK, "wiadomości śmieci" },
	{ MAILBOX_JUNK, "niechciane" },
	{ MAILBOX_TRASH, "kosz" },
	{ MAILBOX_TRASH, "elementy usunięte" },
	{ MAILBOX_TRASH, "usunięte elementy" },
	{ MAILBOX_TRASH, "usunięte" },
	{ MAILBOX_ARCHIVE, "archiwum" },
	/* Russian */
	{ MAILBOX_SENT, "отправленные" },
	{ MAILBOX_SENT, "отправленные элементы" },
	{ MAILBOX_SENT, "отправленные письма" },
	{ MAILBOX_DRAFTS, "черновики" },
	{ MAILBOX_DRAFTS, "черновик" },
	{ MAILBOX_JUNK, "спам" },
	{ MAILBOX_JUNK, "нежелательная почта" },
	{ MAILBOX_TRASH, "корзина" },
	{ MAILBOX_TRASH, "удаленные" },
	{ MAILBOX_TRASH, "удалённые" },
	{ MAILBOX_TRASH, "удаленные элементы" },
	{ MAILBOX_TRASH, "удалённые элементы" },
	{ MAILBOX_ARCHIVE, "архив" },
	/* Japanese */
	{ MAILBOX_SENT, "送信済み" },
	{ MAILBOX_SENT, "送信済みアイテム" },
	{ MAILBOX_SENT, "送信済みメール" },
	{ MAILBOX_SENT, "送信済みトレイ" },
	{ MAILBOX_DRAFTS, "下書き" },
	{ MAILBOX_JUNK, "迷惑メール" },
	{ MAILBOX_TRASH, "ゴミ箱" },
	{ MAILBOX_TRASH, "ごみ箱" },
	{ MAILBOX_TRASH, "削除済みアイテム" },
	{ MAILBOX_TRASH, "削除済みメール" },
	{ MAILBOX_ARCHIVE, "アーカイブ" },
	/* Chinese, simplified */
	{ MAILBOX_SENT, "已发送" },
	{ MAILBOX_SENT, "已发送邮件" },
	{ MAILBOX_SENT, "已发邮件" },
	{ MAILBOX_SENT, "已传送" },
	{ MAILBOX_DRAFTS, "草稿" },
	{ MAILBOX_DRAFTS, "草稿箱" },
	{ MAILBOX_JUNK, "垃圾邮件" },
	{ MAILBOX_JUNK, "垃圾箱" },
	{ MAILBOX_TRASH, "已删除" },
	{ MAILBOX_TRASH, "已删除邮件" },
	{ MAILBOX_TRASH, "废纸篓" },
	{ MAILBOX_TRASH, "回收站" },
	{ MAILBOX_ARCHIVE, "归档" },
	{ MAILBOX_ARCHIVE, "存档" },
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

const char *
place_role_name(unsigned rank)
{
	return rank < NAME_COUNT ? names[rank].name : NULL;
}

uint32_t
place_role(const char *level, unsigned *rank)
{
	utf8proc_uint8_t *folded = NULL;
	uint32_t role = 0;

	utf8proc_ssize_t len =
	    utf8proc_map((const utf8proc_uint8_t *)level, 0, &folded,
		UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE |
		    UTF8PROC_CASEFOLD);
	if (len < 0)
		return 0;
	for (unsigned i = 0; i < NAME_COUNT; i++) {
		if (strcmp(names[i].name, (const char *)folded) != 0)
			continue;
		role = names[i].role;
		*rank = i;
		break;
	}
	free(folded);

	return role;
}
