"""Sentences for synthesisers to read: any number of them, from templates and word lists of our own."""

# ruff: noqa: RUF001 - these are other alphabets.

from typing import Literal

import numpy as np

Language = Literal["en", "de", "fr", "es", "it", "ru", "cs", "fi", "ca", "hi", "mr", "te", "pt", "nl", "pl", "sv", "tr"]


def sentences(language: Language, count: int, rng: np.random.Generator) -> str:
    """Return a text of ``count`` sentences."""
    grammar = _GRAMMARS[language]
    return " ".join(_filled(grammar, rng) for _ in range(count))


def languages() -> tuple[Language, ...]:
    """The languages that there are sentences for."""
    return tuple(_GRAMMARS)


def _filled(grammar: dict[str, tuple[str, ...]], rng: np.random.Generator) -> str:
    """Fill a template's ``{slots}``, a slot's own slots too."""
    text = _pick(grammar["sentence"], rng)
    while "{" in text:
        before, rest = text.split("{", 1)
        slot, after = rest.split("}", 1)
        filling = str(rng.integers(2, 90)) if slot == "number" else _pick(grammar[slot], rng)
        text = f"{before}{filling}{after}"
    return text[0].upper() + text[1:]


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


_GRAMMARS: dict[Language, dict[str, tuple[str, ...]]] = {
    "en": {
        "sentence": (
            "{when} the {adjective} {person} {did} the {thing} {where}.",
            "{who} said that the {thing} was {adjective}, but nobody {where} believed it.",
            "Would you mind if we {do} the {thing} {when2}?",
            "There are {number} {things} {where}, and most of them are {adjective}.",
            "I have never seen such a {adjective} {thing} in all my years as a {person}.",
            "If the {person} comes {when2}, please {do} the {thing} and call me.",
            "Please {do} the {thing} before the {person} arrives {where}!",
            "Why did the {person} leave {number} {things} {where}?",
            "It took {number} minutes to find the {thing}, because the {person} had hidden it {where}.",
            "{who} wanted to {do} the {thing}; {who2} would rather wait for the {person}.",
            "{when} we heard that {who2} had {done} {number} {things} {where}.",
            "No, the {adjective} one, next to the {thing} that the {person} {did}.",
            "Whatever happens, don't {do} the {thing} {where} without asking {who2} first.",
            "The {person} looked at the {thing}, thought for a while, and quietly {did} it.",
            "{who} counted {number}, then {number}, and finally gave up.",
        ),
        "when": (
            "Early this morning",
            "Last week",
            "On Thursday afternoon",
            "Shortly before midnight",
            "Years ago",
            "During the storm",
            "After dinner",
            "At half past nine",
            "Once in a while",
        ),
        "when2": ("tomorrow", "after lunch", "this evening", "on Sunday", "in a few days", "at five o'clock", "later"),
        "who": ("my sister", "the old judge", "everyone", "somebody", "Martha", "our neighbour", "George", "the crew"),
        "who2": ("his aunt", "the doctor", "Peter", "the children", "her boss", "Julia", "the whole village"),
        "person": (
            "baker",
            "teacher",
            "sailor",
            "stranger",
            "farmer",
            "engineer",
            "musician",
            "nurse",
            "merchant",
            "child",
            "captain",
            "gardener",
            "journalist",
            "thief",
            "waiter",
        ),
        "adjective": (
            "quiet",
            "enormous",
            "strange",
            "beautiful",
            "yellow",
            "tired",
            "expensive",
            "ancient",
            "cheerful",
            "broken",
            "frozen",
            "usual",
            "dangerous",
            "rather pale",
            "wonderful",
            "cheap",
        ),
        "did": ("sold", "repaired", "carried away", "forgot", "measured", "painted", "dropped", "showed us", "burned"),
        "done": ("sold", "repaired", "stolen", "forgotten", "bought", "painted", "broken", "ordered", "washed"),
        "do": ("move", "open", "finish", "pay for", "throw away", "describe", "fetch", "check", "share", "wash"),
        "thing": (
            "bridge",
            "letter",
            "bicycle",
            "garden gate",
            "clock",
            "violin",
            "suitcase",
            "map of the valley",
            "engine",
            "birthday cake",
            "wooden chair",
            "telephone",
            "fishing boat",
            "jacket",
            "vase",
        ),
        "things": ("apples", "horses", "lamps", "pictures", "keys", "visitors", "shoes", "boxes", "questions", "ships"),
        "where": (
            "behind the church",
            "in the kitchen",
            "at the station",
            "near the lake",
            "under the roof",
            "across the square",
            "on the third floor",
            "between the trees",
            "in Chicago",
            "along the coast",
        ),
    },
    "de": {
        "sentence": (
            "{when} hat {who} {thing} {where} {done}.",
            "Können wir {thing} {when2} {where} abholen?",
            "{who} sagt, dass {number} Gäste {where} warten.",
            "Eigentlich wollte ich {thing} schon {when2} zurückbringen, aber es regnet noch.",
            "Warum steht {where} kein einziger Baum mehr, fragte {who}.",
        ),
        "when": ("Gestern", "Vor zwei Jahren", "Am Montag", "Kurz nach acht", "Im Herbst"),
        "when2": ("morgen früh", "heute Abend", "am Wochenende", "nächste Woche"),
        "who": ("meine Schwester", "der Bäcker", "die Lehrerin", "unser Nachbar", "ein junger Arzt"),
        "thing": ("den Schlüssel", "die alte Uhr", "das schöne Fahrrad", "einen langen Brief", "zwei Bücher"),
        "where": ("am Bahnhof", "hinter der Kirche", "in der Küche", "auf dem Marktplatz", "im dritten Stock"),
        "done": ("verkauft", "gefunden", "vergessen", "gezeichnet", "repariert"),
    },
    "fr": {
        "sentence": (
            "{when}, {who} a {done} {thing} {where}.",
            "Est-ce que nous pouvons chercher {thing} {where} ?",
            "Il y a {number} personnes {where}, et {who} les attend.",
            "Je voulais rendre {thing} hier, mais il pleut toujours {where}.",
        ),
        "when": ("Ce matin", "La semaine dernière", "Après le dîner", "Un jour d'automne", "Vers neuf heures"),
        "who": ("ma sœur", "le boulanger", "notre voisin", "la maîtresse", "un jeune médecin"),
        "thing": ("la vieille horloge", "une longue lettre", "le vélo rouge", "deux livres", "la clé du jardin"),
        "where": ("à la gare", "derrière l'église", "dans la cuisine", "près du lac", "sur la grande place"),
        "done": ("vendu", "trouvé", "oublié", "dessiné", "réparé"),
    },
    "es": {
        "sentence": (
            "{when} {who} ha {done} {thing} {where}.",
            "¿Podemos recoger {thing} {where}?",
            "Hay {number} personas {where} y {who} las espera.",
            "Quería devolver {thing} ayer, pero todavía llueve {where}.",
        ),
        "when": ("Esta mañana", "Hace dos años", "Después de cenar", "Un día de otoño", "A las nueve"),
        "who": ("mi hermana", "el panadero", "nuestro vecino", "la maestra", "un médico joven"),
        "thing": ("el reloj viejo", "una carta larga", "la bicicleta roja", "dos libros", "la llave del jardín"),
        "where": ("en la estación", "detrás de la iglesia", "en la cocina", "cerca del lago", "en la plaza mayor"),
        "done": ("vendido", "encontrado", "olvidado", "dibujado", "reparado"),
    },
    "it": {
        "sentence": (
            "{when} {who} ha {done} {thing} {where}.",
            "Possiamo prendere {thing} {where}?",
            "Ci sono {number} persone {where}, e {who} le aspetta.",
            "Volevo riportare {thing} ieri, ma piove ancora {where}.",
            "Non ho mai visto {thing} {where}, disse {who}.",
        ),
        "when": ("Questa mattina", "Due anni fa", "Dopo cena", "Un giorno d'autunno", "Verso le nove"),
        "who": ("mia sorella", "il fornaio", "il nostro vicino", "la maestra", "un giovane medico"),
        "thing": (
            "il vecchio orologio",
            "una lunga lettera",
            "la bicicletta rossa",
            "due libri",
            "la chiave del giardino",
        ),
        "where": ("alla stazione", "dietro la chiesa", "in cucina", "vicino al lago", "in piazza"),
        "done": ("venduto", "trovato", "dimenticato", "disegnato", "riparato"),
    },
    "pt": {
        "sentence": (
            "{when} {who} encontrou {thing} {where}.",
            "Há {number} pessoas {where}, e {who} espera por elas.",
        ),
        "when": ("Esta manhã", "Há dois anos", "Depois do jantar", "No outono"),
        "who": ("a minha irmã", "o padeiro", "o nosso vizinho", "a professora"),
        "thing": ("o relógio velho", "uma carta longa", "a bicicleta vermelha", "dois livros"),
        "where": ("na estação", "atrás da igreja", "na cozinha", "perto do lago"),
    },
    "nl": {
        "sentence": ("{when} heeft {who} {thing} {where} gevonden.", "Er wachten {number} mensen {where}, zegt {who}."),
        "when": ("Vanochtend", "Twee jaar geleden", "Na het eten", "In de herfst"),
        "who": ("mijn zus", "de bakker", "onze buurman", "de lerares"),
        "thing": ("de oude klok", "een lange brief", "de rode fiets", "twee boeken"),
        "where": ("op het station", "achter de kerk", "in de keuken", "bij het meer"),
    },
    "pl": {
        "sentence": ("{when} {who} sprzedał {thing} {where}.", "{where} czeka {number} osób, mówi {who}."),
        "when": ("Dzisiaj rano", "Dwa lata temu", "Po kolacji", "Jesienią"),
        "who": ("mój brat", "piekarz", "nasz sąsiad", "młody lekarz"),
        "thing": ("stary zegar", "długi list", "czerwony rower", "dwie książki"),
        "where": ("na dworcu", "za kościołem", "w kuchni", "nad jeziorem"),
    },
    "sv": {
        "sentence": ("{when} hittade {who} {thing} {where}.", "Det väntar {number} personer {where}, säger {who}."),
        "when": ("I morse", "För två år sedan", "Efter middagen", "På hösten"),
        "who": ("min syster", "bagaren", "vår granne", "läraren"),
        "thing": ("den gamla klockan", "ett långt brev", "den röda cykeln", "två böcker"),
        "where": ("på stationen", "bakom kyrkan", "i köket", "vid sjön"),
    },
    "tr": {
        "sentence": ("{when} {who} {where} {thing} buldu.", "{where} {number} kişi bekliyor, dedi {who}."),
        "when": ("Bu sabah", "İki yıl önce", "Akşam yemeğinden sonra", "Sonbaharda"),
        "who": ("kız kardeşim", "fırıncı", "komşumuz", "öğretmen"),
        "thing": ("eski saati", "uzun bir mektup", "kırmızı bisikleti", "iki kitap"),
        "where": ("istasyonda", "köyün arkasında", "mutfakta", "göl kenarında"),
    },
    "ru": {
        "sentence": (
            "{when} {who} нашёл {thing} {where}.",
            "{where} нас ждут гости, сказал {who}.",
            "Можно ли завтра взять {thing} {where}?",
            "Я хотел вернуть {thing} ещё вчера, но {where} идёт дождь.",
        ),
        "when": ("Сегодня утром", "Два года назад", "После ужина", "Осенью", "Около девяти часов"),
        "who": ("мой брат", "старый пекарь", "наш сосед", "молодой врач", "учитель"),
        "thing": ("старые часы", "длинное письмо", "красный велосипед", "две книги", "ключ от сада"),
        "where": ("на вокзале", "за церковью", "на кухне", "у озера", "на площади"),
    },
    "cs": {
        "sentence": (
            "{when} {who} našel {thing} {where}.",
            "{where} čekají hosté, řekl {who}.",
            "Můžeme si zítra vzít {thing} {where}?",
            "Chtěl jsem vrátit {thing} už včera, ale {where} pořád prší.",
        ),
        "when": ("Dnes ráno", "Před dvěma lety", "Po večeři", "Na podzim", "Kolem deváté"),
        "who": ("můj bratr", "starý pekař", "náš soused", "mladý lékař", "učitel"),
        "thing": ("staré hodiny", "dlouhý dopis", "červené kolo", "dvě knihy", "klíč od zahrady"),
        "where": ("na nádraží", "za kostelem", "v kuchyni", "u jezera", "na náměstí"),
    },
    "fi": {
        "sentence": (
            "{when} {who} löysi {thing} {where}.",
            "Vieraat odottavat {where}, sanoi {who}.",
            "Voimmeko hakea {thing} huomenna {where}?",
            "Halusin palauttaa {thing} jo eilen, mutta {where} sataa yhä.",
        ),
        "when": ("Tänä aamuna", "Kaksi vuotta sitten", "Illallisen jälkeen", "Syksyllä", "Kello yhdeksän"),
        "who": ("minun veljeni", "vanha leipuri", "naapurimme", "nuori lääkäri", "opettaja"),
        "thing": ("vanhan kellon", "pitkän kirjeen", "punaisen pyörän", "kaksi kirjaa", "puutarhan avaimen"),
        "where": ("asemalla", "kirkon takana", "keittiössä", "järven rannalla", "torilla"),
    },
    "ca": {
        "sentence": (
            "{when} {who} ha trobat {thing} {where}.",
            "Hi ha molta gent {where}, diu {who}.",
            "Podem recollir {thing} demà {where}?",
            "Volia tornar {thing} ahir, però encara plou {where}.",
        ),
        "when": ("Aquest matí", "Fa dos anys", "Després de sopar", "A la tardor", "Cap a les nou"),
        "who": ("la meva germana", "el forner", "el nostre veí", "un metge jove", "la mestra"),
        "thing": ("el rellotge vell", "una carta llarga", "la bicicleta vermella", "dos llibres", "la clau del jardí"),
        "where": ("a l'estació", "darrere l'església", "a la cuina", "prop del llac", "a la plaça"),
    },
    "hi": {
        "sentence": (
            "{when} {who} ने {where} {thing} देखी।",
            "{where} बहुत लोग हैं, {who} ने कहा।",
            "क्या हम कल {where} {thing} ले सकते हैं?",
        ),
        "when": ("आज सुबह", "दो साल पहले", "खाने के बाद", "कल शाम को"),
        "who": ("मेरे भाई", "दुकानदार", "हमारे पड़ोसी", "एक डाक्टर"),
        "thing": ("पुरानी घड़ी", "लंबी चिट्ठी", "लाल गाड़ी", "नई किताब"),
        "where": ("बाज़ार में", "मंदिर के पीछे", "रसोई में", "नदी के पास"),
    },
    "mr": {
        "sentence": ("{when} {who} {where} {thing} पाहिली.", "{where} खूप लोक आहेत, असे {who} म्हटले."),
        "when": ("आज सकाळी", "दोन वर्षांपूर्वी", "जेवणानंतर", "काल संध्याकाळी"),
        "who": ("माझ्या भावाने", "दुकानदाराने", "शेजाऱ्याने", "एका मुलाने"),
        "thing": ("जुनी गाडी", "लांब नदी", "लाल सायकल", "नवीन वही"),
        "where": ("बाजारात", "देवळामागे", "घरात", "नदीजवळ"),
    },
    "te": {
        "sentence": ("{when} {who} {where} {thing} చూశాడు.", "{where} చాలా మంది ఉన్నారు అని {who} చెప్పాడు."),
        "when": ("ఈ ఉదయం", "రెండు సంవత్సరాల క్రితం", "భోజనం తరువాత", "నిన్న సాయంత్రం"),
        "who": ("నా తమ్ముడు", "దుకాణదారుడు", "మా పొరుగువాడు", "ఒక అబ్బాయి"),
        "thing": ("పాత గడియారం", "పెద్ద ఉత్తరం", "ఎర్ర బండి", "కొత్త పుస్తకం"),
        "where": ("బజారులో", "గుడి వెనుక", "వంట గదిలో", "నది దగ్గర"),
    },
}
