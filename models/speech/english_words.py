"""Words that English writes short: months, titles, units, abbreviations, signs."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
SHORT_MONTHS = ("Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sept", "Sep", "Oct", "Nov", "Dec")

TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Rev": "Reverend",
    "Gen": "General", "Sgt": "Sergeant", "Capt": "Captain", "Lt": "Lieutenant", "Col": "Colonel", "Gov": "Governor",
    "Sen": "Senator", "Rep": "Representative", "Hon": "Honorable", "Pres": "President", "Mt": "Mount", "Ft": "Fort",
}  # fmt: skip
"""Before a name; each may be followed by a full stop."""

ABBREVIATIONS = {
    "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus", "cf.": "compare",
    "approx.": "approximately", "a.k.a.": "also known as", "w/o": "without", "w/": "with", "et al.": "and others",
    "Jr.": "Junior", "Sr.": "Senior", "Inc.": "Incorporated", "Ltd.": "Limited", "Corp.": "Corporation",
    "Co.": "Company", "dept.": "department", "Dept.": "Department", "govt.": "government", "misc.": "miscellaneous",
    "max.": "maximum", "avg.": "average", "vol.": "volume", "Vol.": "Volume", "fig.": "figure",
    "Fig.": "Figure", "ch.": "chapter", "est.": "established", "ext.": "extension", "tel.": "telephone",
    "b.c.": "BC", "B.C.": "BC", "A.D.": "AD",
}  # fmt: skip
"""Anywhere in a text."""

UNITS = {
    "mm": ("millimeter", "millimeters"), "cm": ("centimeter", "centimeters"), "m": ("meter", "meters"),
    "km": ("kilometer", "kilometers"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "mi": ("mile", "miles"), "mg": ("milligram", "milligrams"), "g": ("gram", "grams"), "kg": ("kilogram", "kilograms"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"), "l": ("liter", "liters"),
    "L": ("liter", "liters"), "gal": ("gallon", "gallons"), "ms": ("millisecond", "milliseconds"),
    "s": ("second", "seconds"), "sec": ("second", "seconds"), "min": ("minute", "minutes"), "h": ("hour", "hours"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "kph": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"), 
    "m2": ("square meter", "square meters"), "km2": ("square kilometer", "square kilometers"),
    "m3": ("cubic meter", "cubic meters"), "sq ft": ("square foot", "square feet"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "dB": ("decibel", "decibels"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"), "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"), "Mbps": ("megabit per second", "megabits per second"),
    "°C": ("degree Celsius", "degrees Celsius"), "° C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "° F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
}  # fmt: skip
"""After a number: the word after one, and after any other number."""

MAGNITUDES = {"k": "thousand", "m": "million", "bn": "billion", "tn": "trillion"}
"""After an amount of money."""

OPERATORS = {
    "+": "plus", "=": "equals", "<": "is less than", ">": "is greater than", "≤": "is at most", "≥": "is at least",
    "≈": "is about", "÷": "divided by", "±": "plus or minus", "→": "to",
}  # fmt: skip
"""Between words and numbers."""

NUMBERED_BY_ROMAN = (
    "[Cc]hapter", "[Pp]art", "[Vv]olume", "[Aa]ct", "[Ss]cene", "[Bb]ook", "[Ss]ection", "[Pp]hase", "[Tt]ype",
    "[Cc]lass", "[Tt]itle", "[Aa]rticle", "[Aa]ppendix", "[Ll]evel", "World War", "[Ss]tage", "[Gg]rade", "[Mm]ark",
    "Super Bowl", "Apollo", "Rocky",
)  # fmt: skip
"""Regular expressions of what a Roman numeral numbers."""

SOVEREIGNS = (
    "Henry", "Elizabeth", "Charles", "George", "James", "Edward", "William", "Richard", "Louis", "Philip", "Francis",
    "Napoleon", "Frederick", "Catherine", "Peter", "Paul", "John Paul", "Benedict", "Pius", "Leo", "Gregory",
    "Nicholas", "Alexander", "Ivan", "Mary", "Victoria", "Christian", "Gustav", "Ferdinand", "Carlos", "Juan Carlos",
    "Wilhelm", "Ramesses", "Ptolemy", "Darius", "Clement", "Innocent", "Boniface", "Urban", "Margrethe", "Harald",
)  # fmt: skip
"""Names whose bearers are told apart by Roman numerals."""
