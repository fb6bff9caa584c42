//! The most frequent short words of languages that share a script: articles, pronouns, prepositions,
//! conjunctions and forms of "to be". A quarter or more of running text is made of them.

/// A language's tag and its frequent words, in lower case.
pub(super) const FREQUENT: &[(&str, &str)] = &[
    (
        "en",
        "the of and to in is that it for was on are as with be this not we by you have from or at which if \
            an they so has all can their there would will he she his her but what when then than been its our my",
    ),
    (
        "fr",
        "le la les de des du un une et est en que qui dans pour pas sur ce il elle on nous vous ne se au aux par \
            avec son sa ses plus mais ou où donc cette ces être sont était leur si je tu d l c s n qu j y tout comme",
    ),
    (
        "de",
        "der die das und ist in zu den von mit nicht ein eine einen einem einer des sich auf für es dem wir ich \
            sie er wenn auch als an dass daß oder aber wie war sind werden wird hat haben im am zum zur so nur bei \
            aus nach um noch über kann muss denn also dann",
    ),
    (
        "es",
        "el la los las de del que y en un una es por con no se para su al lo como más pero o este esta si porque \
            cuando son sus le ya entre muy sin sobre también me hasta hay donde está ser nos todo eso esto",
    ),
    (
        "it",
        "il lo la i gli le di che e è un una per in non con del della dei delle si da al alla sono come più ma se \
            questo questa nel nella anche dal l ci ha hanno o quando perché io lui lei noi loro essere dell d nell \
            sul quindi cui ed",
    ),
    (
        "pt",
        "o a os as de do da dos das que e em um uma é para com não no na nos nas se por mais ao como mas foi ele \
            ela seu sua ou quando muito já eu também só pelo pela até isso este esta são são tem você nós então",
    ),
    (
        "nl",
        "de het een en van is in dat te op voor met niet zijn er aan ook als die om maar wij we hij ze zij ik je \
            dit dan door naar bij nog wordt worden of uit over kan moet was heeft hebben deze wat geen dus zo",
    ),
    (
        "sv",
        "och att det i är en som på för av med den till inte ett om han hon var vi jag de så men har från eller \
            kan ska när också då nu man ut upp efter vid bara sin sina skulle blir måste",
    ),
    (
        "da",
        "og at det i er en som på for af med den til ikke et om han hun var vi jeg de så men har fra eller kan \
            skal når også da nu man ud op efter ved kun sin sine ville bliver må der hvad hvis af være noget",
    ),
    (
        "no",
        "og at det i er en som på for av med den til ikke et om han hun var vi jeg de så men har fra eller kan \
            skal når også da nå man ut opp etter ved bare sin sine ville blir må der hva hvis være noe ei fordi",
    ),
    (
        "pl",
        "i w z na nie to się że do jest o jak co ale po za od tak dla czy tego ten ta te są był była było przez \
            przy może tylko już lub oraz który która które gdy jeśli więc ich jego jej my ze mnie tym",
    ),
    (
        "cs",
        "a v se na je že to s z do o jako k i za by ale po pro jsem jsou byl byla bylo tak si ve ze od které který \
            která nebo jen když pak už co při podle jeho jak tedy není můžeme protože aby",
    ),
    (
        "sk",
        "a v sa na je že to s z do o ako k i za by ale po pre som sú bol bola bolo tak si vo zo od ktoré ktorý \
            ktorá alebo len keď už čo pri podľa jeho teda nie môžeme pretože aby ak",
    ),
    (
        "ro",
        "și de în la a cu nu să o este un pe ca care din mai pentru sunt se ce că sau dar dacă am fi ai au era lui \
            după fost prin ei el ea aceasta acest cel cea iar când deci doar îi",
    ),
    (
        "tr",
        "ve bir bu da de için ile çok daha ne o gibi var ki kadar olan olarak ama sonra en her değil mi mı ya biz \
            ben sen şu yok ise iki eğer veya çünkü olur olduğu nasıl göre",
    ),
    (
        "vi",
        "và là của có không được cho các một những người trong với này đã để khi từ thì nếu như đó ra ta chúng \
            tôi nó bạn cũng mà sẽ đến vào phải hay hoặc rằng hai số nhưng vì",
    ),
    (
        "id",
        "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga ke adalah ada oleh saya kita atau bisa \
            dapat telah karena sudah mereka kami lebih harus jika maka tetapi sebagai satu dua",
    ),
    (
        "fi",
        "ja on ei että se oli hän joka kun niin mutta ovat myös kuin ole tai jos vain nyt sitten sen tämä mitä \
            minä me he voi jo siitä hänen mukaan ennen jälkeen koska siis olisi",
    ),
    (
        "hu",
        "a az és hogy nem is egy ez de ha volt van meg csak azt már mint még ezt mert vagy aki kell lehet ki el \
            fel be sem minden nagyon így akkor tehát ezért pedig két után lesz le",
    ),
    (
        "ca",
        "el la els les de del que i en un una és per amb no es al als com més però o aquest aquesta si perquè \
            quan són seu seva d l s hi ha va ser molt també ja fins pel dels això nosaltres on",
    ),
    (
        "hr",
        "i u je na se da za su s od ne što o koji koja koje kao ali to iz bi do sam smo ili ako samo jer može \
            bio bila bilo nije kako tako već ovo ovaj ova pa kad po biti",
    ),
    (
        "sl",
        "in v je na se da za so z s od ne kar o ki kot ali to iz bi do sem smo če samo ker lahko bil bila bilo \
            ni kako tako že ta pa ko po biti tudi pri kaj vendar torej mora",
    ),
    (
        "et",
        "ja on ei et see oli ta ning kui aga ka mis kes või oma siis nii ma me nad mida selle võib kuid välja \
            olema pole juba ainult veel peab enne pärast sest",
    ),
    (
        "lv",
        "un ir no ar uz ka par tas kas bet vai nav lai tā šis kā ja es mēs viņš viņa arī būs bija var pēc tikai \
            jau kad pie to šo tad",
    ),
    (
        "lt",
        "ir yra kad į su iš tai bet kaip ne ar jis ji aš mes buvo apie už po dėl nuo jei tik dar jau kai pat \
            gali kuris kuri turi šis ši tada",
    ),
    (
        "sw",
        "na ya wa kwa ni katika za la cha vya kuwa hii hiyo hicho lakini pia kama sana au bila wake yake zake \
            wangu yangu wetu yetu hili hizi hivyo ambayo ambao ili baada kabla tu mimi yeye sisi watu kila hapa \
            wakati zaidi haya hakuna nyingine kutoka ambazo lazima huu huyo tunaweza kwamba basi sasa ndiyo hapana",
    ),
    (
        "ru",
        "и в не на что с по это как но из у от за к то все так же для мы он она они был была было если или чтобы \
            только уже при его её их до вы я есть значит тогда нам когда бы ли том этот эта со где",
    ),
    (
        "uk",
        "і в не на що з по це як але із у від за до й та та ж для ми він вона вони був була було якщо або щоб \
            тільки вже при його її їх ви я є отже тоді нам коли би чи тому цей ця зі де бо",
    ),
    (
        "be",
        "і ў у не на што з па гэта як але ад за да ж для мы ён яна яны быў была было калі або каб толькі ўжо \
            пры яго яе іх вы я ёсць тады нам бы ці таму гэты",
    ),
    (
        "bg",
        "и в не на че с по това как но от за да се е са са ще си му като до при или ако само вече този тази те \
            той тя ние аз има бъде което която който какво след със към един една ли така",
    ),
    (
        "sr",
        "и у је на се да за су с од не што о који која које као али то из би до сам смо или ако само јер може \
            био била било није како тако већ ово овај ова па кад по бити",
    ),
    (
        "ar",
        "في من على إلى أن عن هذا هذه التي الذي ما لا مع كان كانت هو هي ثم أو إذا كل بعد قبل إن قد لم لن بين حتى \
            أي ذلك لكن نحن لأن عند غير هل كما",
    ),
    (
        "fa",
        "و در به از که این است را با آن برای یک هم تا بر یا اما می خود ما هر اگر پس نیز شود شد باید بود نیست چه \
            هستند او آنها چون کنیم روی دو ها",
    ),
    (
        "ur",
        "کے کی کا میں ہے اور سے کو پر یہ ہیں نے کہ اس وہ کر ہو تھا تھی تو بھی ایک نہیں جو ہم یا لیے گے گا گی کیا \
            لیکن اگر ان تک اپنے رہا",
    ),
    (
        "hi",
        "है के की का में और से को पर यह हैं ने कि इस वह कर हो था थी तो भी एक नहीं जो हम या लिए गया क्या लेकिन अगर उन तक \
            अपने रहा होगा",
    ),
    (
        "mr",
        "आहे आणि हे या ते तो ती च मध्ये साठी नाही पण आहेत होते होता आपण एक की असे काय त्या जर तर किंवा वर मी केले \
            आता फक्त",
    ),
    ("ne", "छ र को मा लाई ले यो त्यो छन् हो थियो पनि एक गर्न भने हामी तर वा लागि छैन के यदि अब गरेको हुन्छ बाट सँग"),
];
